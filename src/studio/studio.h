// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * The studio: the one interface that the command line and the plug-in share. It opens models and
 * devices, makes rounds, teaches styles, exports and imports them.
 *
 * Opening a studio only opens the store; models and the device are opened by the first job that
 * needs them. Jobs run one after another on a worker thread that alone touches the device. They
 * follow GIO's pattern: pen_studio_X_async(…, cancellable, callback, user_data) and
 * pen_studio_X_finish(). Events and callbacks arrive in the main context that was the thread's
 * default when the job was started; the caller's main loop must run. Jobs may be queued.
 *
 * Picks, styles and history are plain calls on the store (src/store), from any thread:
 * pen_studio_store().
 *
 * A cancelled round keeps the candidates that were finished, and a cancelled teaching can be
 * resumed: starting to teach the same style again goes on at the last finished step.
 */

#include <gio/gio.h>

#include "compute/device.h"
#include "src/learning/d3po.h"
#include "src/models/few-steps.h"
#include "src/store/actions.h"
#include "src/store/artists.h"
#include "src/store/comparisons.h"
#include "src/store/files.h"
#include "src/store/guesses.h"
#include "src/store/picks.h"
#include "src/store/places.h"
#include "src/store/rounds.h"
#include "src/store/runs.h"
#include "src/store/space.h"
#include "src/store/store.h"
#include "src/store/styles.h"
#include "src/store/trash.h"

G_BEGIN_DECLS

#define PEN_STUDIO_ERROR (pen_studio_error_quark())
GQuark pen_studio_error_quark(void);

typedef enum {
    PEN_STUDIO_ERROR_INVALID, /* a setting out of range: the request can never work */
    PEN_STUDIO_ERROR_NOTHING, /* nothing to teach, nothing to export */
    PEN_STUDIO_ERROR_MODEL_GONE, /* a style's model is not where it was, nor found elsewhere */
} PenStudioError;

typedef struct _PenStudio PenStudio;

/* `data_folder` NULL: the default store. `device` and `precision` ("f32", "f16") may be NULL: chosen
 * when the device is opened. */
PenStudio *pen_studio_new(const char *data_folder, const char *device, const char *precision,
                          GError **error);

/* Waits for the running job (cancel it first) and closes everything. */
void pen_studio_free(PenStudio *studio);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenStudio, pen_studio_free)

PenStore *pen_studio_store(PenStudio *studio);

/* --- what a job tells while it runs --------------------------------------------------------- */

typedef enum {
    PEN_STUDIO_LOADING,   /* fraction of the model that is loaded */
    PEN_STUDIO_DEVICE,    /* text: the device that works, e.g. "AMD Radeon RX 7900 XTX" */
    PEN_STUDIO_NOTICE,    /* text: something the person should know (memory is short, no GPU) */
    PEN_STUDIO_WARNING,   /* text: the same, where pictures may be other than they should be: it has to
                             be seen, and to stay */
    PEN_STUDIO_ROUND,     /* round: the id of the round that has just been recorded */
    PEN_STUDIO_PREVIEW,   /* place, picture: a candidate as far as it is, a cheap small guess */
    PEN_STUDIO_CANDIDATE, /* place, picture: a candidate is finished and stored */
    PEN_STUDIO_PROGRESS,  /* fraction, seconds_left of the whole job */
    PEN_STUDIO_STEP,      /* step, steps, training: an optimiser step of teaching */
} PenStudioEventKind;

/* Rows of R, G, B from the top, without padding. Owned by the event. */
typedef struct {
    guint width, height;
    const guint8 *rgb;
} PenPicture;

/* Only the members that the kind names are meaningful. */
typedef struct {
    PenStudioEventKind kind;
    double fraction;
    double seconds_left; /* negative while unknown */
    const char *text;
    gint64 round;
    int place;
    PenPicture picture;
    guint step, steps;
    const PenTrainingStep *training;
} PenStudioEvent;

typedef void (*PenStudioEventFunc)(const PenStudioEvent *event, gpointer user_data);

/* --- rounds ---------------------------------------------------------------------------------- */

/* What sampler, steps, guidance and eta are where a request does not say them. */
typedef enum {
    PEN_SPEED_AUTOMATIC, /* as the model was made for (src/models/few-steps.h) */
    PEN_SPEED_FAST,      /* few steps, also where nothing tells that it was made for them */
    PEN_SPEED_USUAL,     /* as any other, also where its name says that it was made for few steps */
} PenSpeed;

/* Start from PEN_ROUND_REQUEST_INIT. Strings and pixels are copied when the job starts. */
typedef struct {
    const char *model; /* name, path or spec (src/models/model-spec.h); NULL, or a spec without a
                          model: the style's, else the starter model */
    const char *prompt;
    const char *negative_prompt; /* NULL: the style's, else none; "": none */
    gint64 style_version;        /* that samples; 0: the style's current one */
    gboolean tiles; /* in tiles of the size that the model was trained on: src/engine/tiles.h */
    gboolean words;  /* the prompts' brackets are characters, not weights (src/formats/prompt.h) */
    guint clip_skip; /* 0 and 1: none; 2: without the text encoder's last layer; … */
    gint64 style; /* that samples, and that the picks will teach unless adapters are added to its
                     model; 0: none */
    double style_strength;       /* negative: the style's own */
    gboolean without_style;      /* sample with the bare model although a style is given */
    gboolean as_is; /* what is left open here is not taken from the style's recipe (recipe.h), and the
                       prompt is not put into its template; so it is with like_round */
    guint count;                 /* candidates, 1 to PEN_ROUND_MAX */
    guint width, height; /* pixels, multiples of 8; 0: the style's, else what the model was trained on */
    const char *sampler;  /* by name, perhaps with its schedule (src/sampling/method.h); NULL: the
                             style's, else DDIM */
    const char *schedule; /* by name; NULL: the sampler's usual one, or what its name says */
    PenSpeed speed; /* but for PEN_SPEED_AUTOMATIC, sampler, steps and guidance are not the style's */
    guint steps;           /* 0: the style's, else what suits the model */
    const char *timesteps; /* that the steps start from, falling, as in "999,749,499,249"; NULL: as the
                              schedule spreads them. `steps` may be 0 then */
    double guidance;             /* 0: the style's, else what suits the model */
    double guidance_rescale;     /* 0 to 1; negative: what suits the model */
    double eta;                  /* of samplers that know it; negative: what suits the model */
    gboolean has_seed; /* else a random one */
    guint64 seed;
    gboolean shared_noise; /* all candidates start from one noise, as in the published script */
    gboolean keep; /* record the round in the store; else only make the pictures */
    gboolean once; /* a complete round of the store that was drawn in just this way, from text, is the
                      result, and nothing is drawn */
    gboolean only_look; /* the same, and where there is none, nothing is drawn either: round 0 */
    gint64 wished_round; /* the id that it shall have, if nobody has that; 0: the next */
    gboolean previews;

    /* Starting from a picture: rows of R, G, B of width x height; NULL: from noise alone. */
    const guint8 *start_rgb;
    /* One byte a pixel, 255 where the picture may change; NULL: everywhere. Pixels where it is 0
     * come out exactly as in start_rgb. */
    const guint8 *start_mask;
    double start_strength; /* 0 keeps the picture, 1 nearly ignores it */

    /* Where the pictures belong, to be kept with the round, and the mask of the place: one byte a
     * pixel, place->width x place->height; NULL: everywhere. NULL: nowhere. */
    const PenPlace *place;
    const guint8 *place_mask;

    /* More are begun than `count`, and those go on that the artist's picks speak for, and one or two
     * that are unlike them. Without at least a few picks to go by it is a plain round. 0: no more. */
    guint wide;

    /* More like a candidate of an earlier round: model (unless it is named), prompts, size, steps,
     * guidance, eta, start and place are that round's, and the new candidates share the first
     * `like_part` of its steps. like_round 0: none. */
    gint64 like_round;
    int like_place;
    double like_part;

    /* Candidate 0 is this picture, which the artist has already (rows of R, G, B of width x height), and
     * only the others are drawn. NULL: all are. */
    const guint8 *own_rgb;
} PenRoundRequest;

#define PEN_ROUND_WIDE_MAX 64

#define PEN_ROUND_MAX 16
#define PEN_ROUND_STEPS 20
#define PEN_ROUND_REQUEST_INIT                                                                     \
    {                                                                                              \
        .style_strength = -1, .guidance_rescale = -1, .count = 4, .eta = -1, .keep = TRUE,                     \
        .start_strength = 0.6, .like_part = 0.5                                                    \
    }

/* One picture with a recorded round's model, texts, size, sampling and seed, from text alone, without a
 * style and kept nowhere. The strings are the round's. */
PenRoundRequest pen_round_request_again(const PenRound *round);

typedef struct {
    gint64 round; /* 0 when it was not kept */
    gboolean was_there; /* of a request for `once`: nothing was drawn, and there are no pixels */
    guint64 seed;
    guint n, width, height;
    guint made; /* candidates of which those n were chosen; n in a plain round */
    guint64 evaluations; /* of the UNet that it took; with guidance two for each picture and step */
    int guess;  /* the place that the artist's picks speak for; -1: nothing to go by */
    guint8 **rgb; /* [n] */
    char *model_name, *model_hash;
} PenRoundResult;

void pen_round_result_free(PenRoundResult *result);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenRoundResult, pen_round_result_free)

/* `event` may be NULL. Bad settings come back as PEN_STUDIO_ERROR_INVALID before anything is
 * recorded. */
void pen_studio_generate_async(PenStudio *studio, const PenRoundRequest *request,
                               PenStudioEventFunc event, gpointer event_data,
                               GCancellable *cancellable, GAsyncReadyCallback callback,
                               gpointer user_data);
PenRoundResult *pen_studio_generate_finish(PenStudio *studio, GAsyncResult *result,
                                           GError **error);

/*
 * Makes a candidate larger: image to image in tiles, with the prompt, the style (in the version and at
 * the strength) and the model that drew it. Nothing is recorded. Start from PEN_REFINE_REQUEST_INIT.
 */
typedef struct {
    gint64 round;
    int place; /* of the candidate, from 0 */
    double scale;
    guint least_width, least_height; /* more than that scale where the picture is to cover that much */
    double strength;                 /* 0 keeps what is there, 1 nearly ignores it */
} PenRefineRequest;

#define PEN_REFINE_REQUEST_INIT                                                                    \
    {                                                                                              \
        .scale = 2, .strength = 0.3                                                                \
    }

void pen_studio_refine_async(PenStudio *studio, const PenRefineRequest *request,
                             PenStudioEventFunc event, gpointer event_data,
                             GCancellable *cancellable, GAsyncReadyCallback callback,
                             gpointer user_data);
/* One picture. */
PenRoundResult *pen_studio_refine_finish(PenStudio *studio, GAsyncResult *result, GError **error);

/* Opens the device and loads a model (the style's, or the one named) in advance, so that the first
 * round begins at once. Events: LOADING, DEVICE, NOTICE. */
void pen_studio_prepare_async(PenStudio *studio, const char *model, gint64 style,
                              PenStudioEventFunc event, gpointer event_data,
                              GCancellable *cancellable, GAsyncReadyCallback callback,
                              gpointer user_data);
gboolean pen_studio_prepare_finish(PenStudio *studio, GAsyncResult *result, GError **error);

/* pen_device_list() on the worker thread: PenDeviceInfo, owned by the array. */
void pen_studio_list_devices_async(PenStudio *studio, GCancellable *cancellable,
                                   GAsyncReadyCallback callback, gpointer user_data);
GPtrArray *pen_studio_list_devices_finish(PenStudio *studio, GAsyncResult *result,
                                          GError **error);

/* Tests whether the device computes what it should (src/selftest/selftest.h), which takes minutes; what
 * computes wrongly is not used by later jobs. Events: PROGRESS. */
typedef struct {
    gboolean good;
    char *verdict; /* a sentence for a person */
    char *report;  /* the file with all figures */
} PenDeviceTest;
void pen_device_test_free(PenDeviceTest *test);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenDeviceTest, pen_device_test_free)
void pen_studio_test_device_async(PenStudio *studio, PenStudioEventFunc event,
                                  gpointer event_data, GCancellable *cancellable,
                                  GAsyncReadyCallback callback, gpointer user_data);
PenDeviceTest *pen_studio_test_device_finish(PenStudio *studio, GAsyncResult *result,
                                             GError **error);

/* The device of all jobs that are started from now on, as in pen_studio_new(). */
void pen_studio_set_device(PenStudio *studio, const char *device);

/* Reads the numbers of the model that a round of `model` and `style` (0: none) would be made with,
 * e.g. its picture size, without a device. */
typedef struct {
    char *spec, *name, *hash; /* `spec`: of pen_model_find() */
    guint style_loras; /* so many of the spec's adapters are the style's: those it is taught on */
    guint size;        /* pixels a side that it was trained on */
    guint multiple;    /* width and height must be multiples of this */
    guint64 bytes;     /* that its weights take on a device, in half precision */
    double guidance;   /* that suits it, drawn with many steps */
    double guidance_rescale;
    PenFewSteps few_steps; /* how it is drawn with few, if it was made for them */
    char *notice;      /* what of its files is not used, or was assumed; NULL: nothing */
    char **words;      /* all that it knows; NULL: as many as people do */
    gboolean may_predict; /* it is a file that may not tell what it predicts: that can be chosen
                             (PenModelSpec.prediction) */
    gpointer opened;   /* for pen_model_info_measure() */
} PenModelInfo;
void pen_model_info_free(PenModelInfo *info);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PenModelInfo, pen_model_info_free)
PenModelInfo *pen_studio_model_info(PenStudio *studio, const char *model, gint64 style,
                                    GError **error);

/* How much of a prompt's room is taken, in tokens: words, or parts of rare ones. Names of embeddings
 * count as words. */
typedef struct {
    guint used, room; /* of all parts that the prompt takes */
    guint parts;      /* that are read one after another (src/models/text-chunks.h) */
    gboolean cut;     /* the end is left out */
} PenPromptLength;
PenPromptLength pen_model_info_measure(const PenModelInfo *info, const char *prompt,
                                       gboolean words);

/* The names of the models that can be asked for, the starter model first. g_strfreev(). */
char **pen_studio_model_names(PenStudio *studio);

/* --- teaching -------------------------------------------------------------------------------- */

/* Start from pen_teach_settings_init(). */
typedef struct {
    PenD3poConfig d3po;
    gboolean only_new; /* train on picks the style has not learnt yet, not on all of them */
    gboolean fresh;    /* abandon an unfinished run in place of resuming it with its settings */
    gboolean has_seed;
    guint64 seed;
} PenTeachSettings;

/* What works with a few picks (docs/learning.md), or with `paper` the published script's. */
void pen_teach_settings_init(PenTeachSettings *settings, gboolean paper);

typedef struct {
    gint64 style, version, run;
    guint picks, steps;
    PenTrainingStep first, last; /* of the loss curve */
} PenTeachResult;

/* Teaches `style` its picks and makes a new version current. Fails with PEN_STUDIO_ERROR_NOTHING
 * when there are no picks to learn. */
void pen_studio_teach_async(PenStudio *studio, gint64 style, const PenTeachSettings *settings,
                            PenStudioEventFunc event, gpointer event_data,
                            GCancellable *cancellable, GAsyncReadyCallback callback,
                            gpointer user_data);
gboolean pen_studio_teach_finish(PenStudio *studio, GAsyncResult *result, PenTeachResult *taught,
                                 GError **error);

/* An error unless a new style of that adapter rank could be taught this picked round here and now:
 * what would stand in the way is known before the style is made. Takes nothing and keeps nothing. */
void pen_studio_check_teaching_async(PenStudio *studio, gint64 round, int rank,
                                     GCancellable *cancellable, GAsyncReadyCallback callback,
                                     gpointer user_data);
gboolean pen_studio_check_teaching_finish(PenStudio *studio, GAsyncResult *result, GError **error);

/* --- styles ---------------------------------------------------------------------------------- */

/* A new style for a model (NULL: the starter). Returns its id, or 0. */
gint64 pen_studio_create_style(PenStudio *studio, const char *name, const char *model,
                               GError **error);

/* PEN_STUDIO_ERROR_MODEL_GONE unless the style's model is where it was, or found by its content. May take
 * long. */
gboolean pen_studio_check_style_model(PenStudio *studio, gint64 style, GError **error);

/* Says where the style's model lies now; an error if it is not that model, by its content. */
gboolean pen_studio_relocate_style(PenStudio *studio, gint64 style, const char *model,
                                   GError **error);

/* Makes the picked rounds of the same model that belong to no style teach `style`. Returns how
 * many, or -1. */
int pen_studio_adopt_rounds(PenStudio *studio, gint64 style, GError **error);

/* How many picks teaching would train on; with `style` 0 those that a new style for `model` (NULL:
 * the starter) would adopt. -1 with an error. */
int pen_studio_count_picks(PenStudio *studio, gint64 style, const char *model, gboolean only_new,
                           GError **error);

typedef enum { PEN_EXPORT_KOHYA, PEN_EXPORT_DIFFUSERS } PenExportFormat;

/*
 * A style is one file, as which it is shared: its current version's adapter, which other programs load
 * as a LoRA, and in the file's metadata its name, model, strength and recipe (recipe.h), which Penchant
 * reads again. To write it, the model need not be there.
 */
#define PEN_STYLE_FILE_KEY "penchant.model_hash" /* of its metadata, which no other file has */
gboolean pen_studio_export_style(PenStudio *studio, gint64 style, const char *file,
                                 PenExportFormat format, GError **error);

/*
 * Makes a style of such a file, or of any adapter, in either naming. It is for `model`; if that is NULL,
 * for the one that the file says it was made for, by content; if it says none, for `otherwise` (NULL: the
 * starter). `name` NULL: what the file says, else its own, with a number behind one that is taken.
 * `notice` (may be NULL) gets a sentence about what is otherwise than in the file, or NULL. Returns the
 * style's id, or 0.
 */
gint64 pen_studio_import_style(PenStudio *studio, const char *file, const char *name,
                               const char *model, const char *otherwise, char **notice,
                               GError **error);

G_END_DECLS
