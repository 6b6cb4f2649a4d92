// SPDX-License-Identifier: GPL-3.0-or-later
//
// Prompts as people write them: the language of the AUTOMATIC1111 web interface ("A1111"), which
// other programs have taken over. docs/prompts.md explains it to artists.
//
//     (word)  ((word))     1.1 times as strong, 1.21 times
//     [word]               divided by 1.1
//     (word:1.3)           1.3 times as strong
//     \( \) \[ \] \\ \<    the character itself
//     BREAK                what follows begins a new chunk
//     <lora:NAME:0.8>      an adapter, at a strength
//     embedding:NAME       a textual-inversion embedding, as ComfyUI writes it (the name alone
//     does, too)
//
// The rules are those of A1111's parse_prompt_attention: weights of nested brackets multiply, a
// bracket that is not closed reaches to the end, neighbours of one weight are one text. Different
// from there, what is not understood (a bracket without its partner, prompts that change while a
// picture is drawn, AND, wildcards, tags of other kinds) is not drawn as words but listed.
#pragma once

#include <glib.h>

G_BEGIN_DECLS

// How a prompt is read.
typedef enum {
    PEN_PROMPT_WORDS,   // as it stands: brackets are characters like any other
    PEN_PROMPT_WEIGHTS, // by the rules above
} PenPromptReading;

// A stretch of text of one weight.
typedef struct {
    char *text; // NULL: a BREAK
    double weight;
    gboolean embedding; // the text is the name of one
} PenPromptPart;

// <lora:NAME:STRENGTH>
typedef struct {
    char *name;
    double strength; // 1 where none is given
    char *written;   // the whole
} PenPromptLora;

typedef struct {
    PenPromptReading reading;
    GArray *parts;             // PenPromptPart
    GArray *loras;             // PenPromptLora, in their order
    GPtrArray *not_understood; // char *, as it was written; each once
    gboolean cut;              // it was longer than PEN_PROMPT_MAX_BYTES
} PenPrompt;

#define PEN_PROMPT_MAX_BYTES 16384
#define PEN_PROMPT_MAX_WEIGHT 10.0 // on either side of 0

// Any text can be read. NULL is the empty text.
PenPrompt *pen_prompt_new(const char *text, PenPromptReading reading);
void pen_prompt_free(PenPrompt *prompt);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenPrompt, pen_prompt_free)

G_END_DECLS
