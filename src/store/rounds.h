// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <glib.h>

#include "src/store/store.h"

G_BEGIN_DECLS

/*
 * Rounds: candidates of one prompt from one initial noise, to be picked from. A round is begun when
 * its candidates start to be made and ended when that is over; each candidate becomes complete
 * by itself, so what was finished before a cancel or a crash can still be picked.
 */
typedef enum {
    PEN_ROUND_RUNNING,
    PEN_ROUND_COMPLETE,
    PEN_ROUND_CANCELLED,
    PEN_ROUND_FAILED,
} PenRoundState; /* of candidates, too */

typedef enum {
    PEN_START_TEXT,      /* noise alone */
    PEN_START_PICTURE,   /* start_file, changed by start_strength */
    PEN_START_SELECTION, /* the same, where mask_file is white */
} PenStart;

typedef struct {
    gint64 id;
    gint64 style;          /* that its picks teach; 0: none */
    gint64 style_version;  /* that sampled it; 0: the bare model */
    double style_strength; /* adapter scale that sampled it */
    char *prompt;
    char *negative_prompt; /* NULL: none */
    gboolean words;        /* the prompts' brackets are characters, not weights */
    int clip_skip;         /* 1: none; 2: without the text encoder's last layer; … */
    char *model_path;      /* or what else says which model; the store does not look at it */
    char *model_name;
    char *model_hash;
    int width, height; /* pixels */
    int steps;
    double guidance;
    double guidance_rescale; /* 0 to 1: how far its contrast was taken back; negative: not known */
    double eta;
    guint64 seed; /* of the initial noise */
    char *sampler;
    char *timesteps; /* of the steps, where not as the sampler spreads them: "999 749 499 249"; or
                        NULL */
    char *prediction_type; /* "epsilon", "v_prediction" */
    char *device;
    char *precision; /* "f32", "f16" */
    PenStart start;
    double start_strength; /* 0 to 1 */
    char *start_file;      /* relative; NULL: none */
    char *mask_file;
    int made;          /* candidates of which those of the round were chosen; 0: just those */
    gint64 origin;     /* the candidate whose first steps those of the round share; 0: none */
    char *own_picture; /* SHA-256 of the picture that candidate 0 is, which the artist had already;
                          NULL: all candidates were drawn */
    gint64 created;
    PenRoundState state;
} PenRound;

PenRound *pen_round_copy(const PenRound *round);
void pen_round_free(PenRound *round);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenRound, pen_round_free)

typedef struct {
    gint64 id;
    gint64 round;
    int place; /* in the round, from 0 */
    guint64 seed;
    char *picture_file; /* relative; NULL until complete */
    char *trajectory_file;
    char *features_file; /* relative; what a predictor of picks goes by (guesses.h); NULL: not known
                          */
    double score;        /* what it said before the pick; NaN: nothing */
    PenRoundState state;
} PenCandidate;

PenCandidate *pen_candidate_copy(const PenCandidate *candidate);
void pen_candidate_free(PenCandidate *candidate);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenCandidate, pen_candidate_free)

/* "running", "complete", "cancelled", "failed": not translated. */
const char *pen_round_state_name(PenRoundState state);

/*
 * Records a round of `n_candidates` candidates with the given seeds, all running. Of `round`,
 * created, state, start_file and mask_file are ignored; id is the one that is wished for, and 0 or one that
 * is taken the next. A style must be living and made for
 * the same model (INVALID). Returns the round's id.
 */
gint64 pen_store_begin_round(PenStore *store, const PenRound *round, const guint64 *seeds,
                             guint n_candidates, GError **error);

/* The id that the next round will have, if it wishes for none; 0 with an error. */
gint64 pen_store_next_round(PenStore *store, GError **error);

/* Keeps the picture (PNG) that a round starts from, and the mask or NULL. */
gboolean pen_store_set_round_start(PenStore *store, gint64 round, GBytes *picture, GBytes *mask,
                                   GError **error);

/*
 * Writes a candidate's picture (PNG) and trajectory (safetensors; may be NULL), and marks it
 * complete. INVALID unless it was running.
 */
gboolean pen_store_finish_candidate(PenStore *store, gint64 round, int place, GBytes *picture,
                                    GBytes *trajectory, GError **error);

/*
 * Ends a round. COMPLETE needs all candidates complete (INVALID); with CANCELLED and FAILED the
 * unfinished candidates get that state.
 */
gboolean pen_store_end_round(PenStore *store, gint64 round, PenRoundState state, GError **error);

/*
 * Makes the rounds of the style's model that belong to no style and whose pick prefers anything
 * teach this one. Returns how many, or -1.
 */
int pen_store_adopt_rounds(PenStore *store, gint64 style, GError **error);

/* How many a new style for that model would adopt and could learn from, or -1. */
int pen_store_count_adoptable(PenStore *store, const char *model_hash, GError **error);

/* Whether a picture (PenRound.own_picture) is in a picked round of the style: 1, 0, or -1 with an
 * error. */
int pen_store_has_own_picture(PenStore *store, gint64 style, const char *own_picture,
                              GError **error);

/* `*round` gets the first complete round of `n_candidates` that teaches, draws and is seeded just
 * as `like`, from text alone; 0: none. What says when, where and on which device it was made does
 * not matter. */
gboolean pen_store_find_same_round(PenStore *store, const PenRound *like, guint n_candidates,
                                   gint64 *round, GError **error);

PenRound *pen_store_get_round(PenStore *store, gint64 round, GError **error);
/* PenRound, latest first, at most `limit`; of one style, or with 0 all. */
GPtrArray *pen_store_list_rounds(PenStore *store, gint64 style, int limit, GError **error);
/* The id of the round before (`direction` -1) or after (1) `round`; before 0 comes the latest. 0 if
 * there is none. */
gint64 pen_store_find_neighbour(PenStore *store, gint64 round, int direction);
PenCandidate *pen_store_get_candidate(PenStore *store, gint64 candidate, GError **error);
/* PenCandidate, by place. */
GPtrArray *pen_store_list_candidates(PenStore *store, gint64 round, GError **error);

/* The different prompts of past rounds, the latest used first, at most `limit`. g_strfreev(). */
char **pen_store_list_prompts(PenStore *store, int limit, GError **error);

G_END_DECLS
