// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * A model: a folder in the diffusers layout of Stable Diffusion 1.x, 2.x and SDXL,
 *
 *     model_index.json                            may be missing
 *     unet/  vae/                                 config.json and .safetensors weights
 *     text_encoder/  text_encoder_2/              the same; SDXL's UNet reads two of them
 *     tokenizer/  tokenizer_2/                    vocab.json, merges.txt, tokenizer_config.json
 *     scheduler/scheduler_config.json
 *     penchant.json                               may be missing; see below
 *
 * or one .safetensors file with the original names (src/models/checkpoint.h). Inpainting models are
 * those whose UNet takes, after the noisy latents, a mask and the latents of the masked picture
 * (src/engine/inpainting.h). Its VAE can be exchanged and adapters can be merged into its weights
 * (src/models/model-spec.h).
 *
 * penchant.json is Penchant's own, for what the layout has no place for: {"guidance_scale": X, "words":
 * ["cat", …]}. With that guidance the model draws best where nobody asks for another one. Small models want
 * less than Stable Diffusion: guidance draws what makes a motif easy to tell, and hides what else it can
 * be. The words are all that a small model knows, in the order in which a person would name them.
 *
 * Opening reads and checks everything but the weights' numbers; src/models/runtime.h runs the
 * model. Weights are mapped, not copied. Errors are PEN_MODEL_ERROR or those of src/formats, one
 * sentence each.
 */

#include <gio/gio.h>

#include "src/formats/safetensors.h"
#include "src/formats/tokenizer.h"
#include "src/models/few-steps.h"
#include "src/models/model-config.h"
#include "src/models/model-spec.h"
#include "src/sampling/schedule.h"

G_BEGIN_DECLS

/* A text encoder, and the tokenizer that goes before it. */
typedef struct {
    PenClipTextConfig config;
    PenSafetensors *weights; /* in transformers' names */
    PenTokenizer *tokenizer;
} PenTextEncoder;

/* Of two encoders the hidden states stand side by side; the last one gives the pooled text. */
#define PEN_MODEL_MAX_ENCODERS 2

/* Read only. */
typedef struct {
    gint refs;
    PenModelSpec *spec;
    char *name;        /* for people: the folder's or file's name */
    char *notice;      /* for people: what was left out or assumed, or NULL */
    char **words;      /* all that it knows, NULL at the end; NULL: as many as people do */
    gboolean may_predict; /* its file may not tell the kind of prediction: PenModelSpec.prediction can */
    char *identity;    /* what the weights are; see below */
    char **identities; /* NULL at the end: of the model alone, then with each adapter more, in the
                          order of the spec; the last one is `identity` */
    PenUNetConfig unet;
    PenVaeConfig vae;
    guint n_encoders;
    PenTextEncoder encoders[PEN_MODEL_MAX_ENCODERS];
    PenSafetensors *unet_weights, *vae_weights; /* in diffusers' names */
    PenSchedule *schedule;
    guint32 tokens;              /* of an encoded prompt, padding included */
    gboolean zeros_without_text; /* where no text is given its encoding is all zeros; else that of
                                    the empty text */
    guint32 factor;              /* a picture is this many times as high and wide as its latents */
    guint32 condition_channels;  /* of an inpainting model's further inputs; else 0 */
    double guidance;             /* the scale to use where none is asked for */
    double guidance_rescale;     /* the same, 0 to 1: PenModelOutput.rescale */
    PenFewSteps few_steps; /* how it is drawn with if it, or an adapter on it, was made for that */
} PenModel;

#define PEN_MODEL_GUIDANCE 5.0 /* where a model says nothing, as D3PO's published script samples */
/* A schedule that ends in pure noise over-exposes with guidance unless it is rescaled. */
#define PEN_MODEL_GUIDANCE_RESCALE_ZERO_SNR 0.7
#define PEN_MODEL_MAX_GUIDANCE 100.0

/*
 * Opens what pen_model_find() returned, or another spec with a path in it.
 *
 * A model's identity is what it is, wherever it lies: a SHA-256 in hexadecimal over
 *   - the bytes of each config.json, vocab.json, merges.txt and scheduler_config.json; of a single
 *     file instead the kind of prediction
 *   - of each tensor, by component and in the order of names: name, type, shape, and 4 KiB from the
 *     middle of its data (all of it if it is smaller)
 * It does not depend on the folder's name or on how weights are split into files. It reads a few
 * megabytes of a model of several gigabytes: any training changes nearly every tensor everywhere.
 * With adapters it is a SHA-256 over the identity before, the adapter's tensors in the same manner,
 * the settings that lie beside it, and its strength. An exchanged VAE does not change it: nothing
 * that is learnt depends on the VAE.
 */
PenModel *pen_model_open(const char *model, GError **error);
PenModel *pen_model_ref(PenModel *model);
void pen_model_unref(PenModel *model);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenModel, pen_model_unref)

/* The conditioning of no text at all, where zeros_without_text; of the right sizes everywhere. */
PenConditioning *pen_model_new_conditioning(const PenModel *model, guint32 tokens);

/* Adds a sentence to the notice. */
void pen_model_add_notice(PenModel *model, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* Whether the model's files are still those that were opened; else it has to be opened anew. */
gboolean pen_model_is_current(const PenModel *model);

/* Whether `identity` is this model's, or its own with fewer of the adapters: what was made for that
 * one can draw with this one. */
gboolean pen_model_includes(const PenModel *model, const char *identity);

/* --- finding models (model-find.c) ---------------------------------------------------------- */

/*
 * The model that a person named, as a spec that pen_model_open() opens: the path of a folder or
 * file that is one, or of a folder of the Hugging Face cache (models--OWNER--NAME), which leads to
 * its snapshot; else a name in the user's models (pen_model_user_folder()) or in the models that
 * come with Penchant, where NAME stands for the folder NAME or the file NAME.safetensors, and
 * FOLDER/NAME for one in a folder there; else a folder with one model in it. NULL means the starter
 * model. `wanted` may be a spec itself, and its files are made absolute. Free with g_free().
 *
 * The models that come with Penchant lie in PENCHANT_MODELS if that environment variable is set,
 * else where Penchant is installed, else, before it is installed, in its source tree.
 */
char *pen_model_find(const char *wanted, GError **error);

/* Where the user's own models lie: "models" in PENCHANT_DATA, or "penchant/models" in the user's
 * data folder. Free with g_free(). */
char *pen_model_user_folder(void);

/* The names that pen_model_find() knows, sorted. Free with g_strfreev(). */
char **pen_model_names(void);

#define PEN_STARTER_MODEL "starter"

G_END_DECLS
