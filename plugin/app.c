// SPDX-License-Identifier: GPL-3.0-or-later
#include "plugin/app.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "plugin/recipe-use.h"

/* A strength is turned step by step: the model is read when the turning has ended. */
#define EXTRAS_SETTLE_MS 300
/* So are the settings saved. */
#define SAVE_MS 150

struct _PenApp {
    GObject parent;
    PenStudio *studio;
    PenSettings *settings;
    char *asked_model; /* whose numbers are read or were: asked_key() */
    guint settling;    /* extras were changed, and the model is still to be read with them */
    guint saving;      /* settings were changed, and are still to be saved */
    PenModelInfo *model;
    char *good_model; /* the last chosen one that could be read; NULL: the starter model */
    gint32 image;     /* id; 0: none */
    gboolean new_image;
    gint64 first_action; /* the latest when the window opened */
    GPtrArray *jobs;     /* GCancellable */
    gboolean teaching, closing;
    gboolean told_of_extra; /* the bar is about a file of the extras */
};

enum {
    MESSAGE,
    MESSAGE_OVER,
    OPENED,
    MODEL_CHANGED,
    EXTRAS_CHANGED,
    STYLES_CHANGED,
    RECIPE_USED,
    PICKS_CHANGED,
    LOG_CHANGED,
    IMAGE_CHANGED,
    PLACING_CHANGED,
    INSERTED,
    JOBS_CHANGED,
    ROUNDS_CHANGED,
    N_SIGNALS
};
static guint signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE(PenApp, pen_app, G_TYPE_OBJECT)

static void pen_app_finalize(GObject *object)
{
    PenApp *app = PEN_APP(object);
    g_clear_handle_id(&app->settling, g_source_remove);
    g_clear_handle_id(&app->saving, g_source_remove);
    g_free(app->good_model);
    g_clear_pointer(&app->studio, pen_studio_free);
    g_clear_pointer(&app->model, pen_model_info_free);
    g_free(app->asked_model);
    g_ptr_array_unref(app->jobs);
    pen_settings_free(app->settings);
    G_OBJECT_CLASS(pen_app_parent_class)->finalize(object);
}

static guint add_signal(const char *name)
{
    return g_signal_new(name, PEN_TYPE_APP, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
}

static void pen_app_class_init(PenAppClass *class)
{
    G_OBJECT_CLASS(class)->finalize = pen_app_finalize;
    signals[MESSAGE] =
        g_signal_new("message", PEN_TYPE_APP, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE,
                     4, GTK_TYPE_MESSAGE_TYPE, G_TYPE_STRING, G_TYPE_STRING, G_TYPE_CLOSURE);
    signals[MESSAGE_OVER] = add_signal("message-over");
    signals[OPENED] = add_signal("opened");
    signals[MODEL_CHANGED] = add_signal("model-changed");
    signals[EXTRAS_CHANGED] = add_signal("extras-changed");
    signals[STYLES_CHANGED] = add_signal("styles-changed");
    signals[RECIPE_USED] = add_signal("recipe-used");
    signals[PICKS_CHANGED] = add_signal("picks-changed");
    signals[LOG_CHANGED] = add_signal("log-changed");
    signals[IMAGE_CHANGED] = add_signal("image-changed");
    signals[PLACING_CHANGED] = add_signal("placing-changed");
    signals[INSERTED] = g_signal_new("inserted", PEN_TYPE_APP, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                     NULL, G_TYPE_NONE, 1, G_TYPE_POINTER);
    signals[JOBS_CHANGED] = add_signal("jobs-changed");
    signals[ROUNDS_CHANGED] = add_signal("rounds-changed");
}

static void pen_app_init(PenApp *app)
{
    app->settings = pen_settings_load();
    app->jobs = g_ptr_array_new_with_free_func(g_object_unref);
}

PenApp *pen_app_new(void)
{
    return g_object_new(PEN_TYPE_APP, NULL);
}

PenSettings *pen_app_settings(PenApp *app)
{
    return app->settings;
}

static void use_recipe(PenApp *app, const PenStyle *style);

gboolean pen_app_open(PenApp *app)
{
    if (app->studio)
        return TRUE;
    g_autoptr(GError) error = NULL;
    app->studio = pen_studio_new(NULL, app->settings->device, NULL, &error);
    if (!app->studio) {
        pen_app_report(app, error);
        return FALSE;
    }
    g_autoptr(GPtrArray) actions = pen_store_list_actions(pen_app_store(app), 1, NULL);
    if (actions && actions->len)
        app->first_action = ((PenAction *)actions->pdata[0])->id;
    /* The style may have been deleted since, by the command line or on another day. */
    g_autoptr(PenStyle) style = pen_app_load_style(app);
    if (!style)
        app->settings->style = 0;
    use_recipe(app, style);
    g_signal_emit(app, signals[OPENED], 0);
    pen_app_set_model(app, app->settings->model);
    return TRUE;
}

PenStudio *pen_app_studio(PenApp *app)
{
    return app->studio;
}

PenStore *pen_app_store(PenApp *app)
{
    return app->studio ? pen_studio_store(app->studio) : NULL;
}

gint64 pen_app_first_action(PenApp *app)
{
    return app->first_action;
}

static gboolean save_settings(gpointer data)
{
    PenApp *app = data;
    app->saving = 0;
    g_autoptr(GError) error = NULL;
    if (!pen_settings_save(app->settings, &error))
        pen_app_report(app, error);
    return G_SOURCE_REMOVE;
}

void pen_app_settings_changed(PenApp *app)
{
    if (!app->saving)
        app->saving = g_timeout_add(SAVE_MS, save_settings, app);
}

void pen_app_close(PenApp *app)
{
    app->closing = TRUE;
    g_clear_handle_id(&app->saving, g_source_remove);
    save_settings(app);
    for (guint i = 0; i < app->jobs->len; i++)
        g_cancellable_cancel(app->jobs->pdata[i]);
}

gboolean pen_app_is_closing(PenApp *app)
{
    return app->closing;
}

/* --- the model ------------------------------------------------------------------------------- */

char *pen_app_spec(PenApp *app)
{
    const PenSettings *settings = app->settings;
    g_autoptr(PenModelSpec) spec = pen_model_spec_new(settings->style ? NULL : settings->model);
    pen_model_spec_overlay(spec, settings->extras);
    /* A style remembers the VAE of its latest round; here what the window shows is used. */
    if (settings->style && !spec->vae)
        spec->vae = g_strdup("");
    return pen_model_spec_to_text(spec);
}

typedef struct {
    char *key, *spec;
    gint64 style;
} Question;

static void question_free(gpointer data)
{
    Question *question = data;
    g_free(question->key);
    g_free(question->spec);
    g_free(question);
}

static void read_model(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    GError *error = NULL;
    const Question *question = data;
    PenModelInfo *info =
        pen_studio_model_info(PEN_APP(source)->studio, question->spec, question->style, &error);
    if (info)
        g_task_return_pointer(task, info, (GDestroyNotify)pen_model_info_free);
    else
        g_task_return_error(task, error);
}

static void on_model_read(GObject *source, GAsyncResult *result, gpointer job)
{
    PenApp *app = PEN_APP(source);
    const Question *question = g_task_get_task_data(G_TASK(result));
    g_autoptr(GError) error = NULL;
    g_autoptr(PenModelInfo) info = g_task_propagate_pointer(G_TASK(result), &error);
    /* Unless another model was chosen meanwhile. */
    if (!g_strcmp0(app->asked_model, question->key)) {
        app->model = g_steal_pointer(&info);
        if (app->model) {
            g_free(app->good_model);
            app->good_model = g_strdup(app->settings->model);
        } else {
            g_clear_pointer(&app->asked_model, g_free); /* so that choosing it again tries again */
            gboolean gone = g_error_matches(error, PEN_STUDIO_ERROR, PEN_STUDIO_ERROR_MODEL_GONE);
            pen_app_report_file(app, error,
                                gone ? NULL : _("Choose another model, or get its files anew."));
        }
        g_signal_emit(app, signals[MODEL_CHANGED], 0);
        if (!app->model && g_strcmp0(app->settings->model, app->good_model) != 0)
            pen_app_set_model(app, app->good_model);
    }
    pen_app_end_job(app, job);
}

/* Reads the model that is asked for now, unless that was done or is being done. */
static void ask_model(PenApp *app)
{
    g_clear_handle_id(&app->settling, g_source_remove);
    g_autofree char *spec = pen_app_spec(app);
    gint64 style = app->settings->style;
    g_autofree char *key = g_strdup_printf("%" G_GINT64_FORMAT " %s", style, spec ? spec : "");
    if (!app->studio || !g_strcmp0(app->asked_model, key))
        return;
    g_free(app->asked_model);
    app->asked_model = g_strdup(key);
    g_clear_pointer(&app->model, pen_model_info_free);
    Question *question = g_new(Question, 1);
    *question = (Question){ g_steal_pointer(&key), g_steal_pointer(&spec), style };
    GCancellable *job = pen_app_begin_job(app);
    g_autoptr(GTask) task = g_task_new(app, NULL, on_model_read, job);
    g_task_set_task_data(task, question, question_free);
    g_task_run_in_thread(task, read_model);
    g_signal_emit(app, signals[MODEL_CHANGED], 0);
}

void pen_app_set_model(PenApp *app, const char *model)
{
    if (model != app->settings->model) {
        /* What was said of the last model's file says nothing of this one's. */
        g_clear_pointer(&app->settings->extras->prediction, g_free);
        g_free(app->settings->model);
        app->settings->model = g_strdup(model);
        pen_app_settings_changed(app);
    }
    ask_model(app);
}

static gboolean on_settled(gpointer data)
{
    PenApp *app = data;
    app->settling = 0;
    ask_model(app);
    return G_SOURCE_REMOVE;
}

void pen_app_extras_changed(PenApp *app)
{
    if (app->told_of_extra) /* what the message was about is no more */
        pen_app_clear_message(app);
    g_signal_emit(app, signals[EXTRAS_CHANGED], 0);
    pen_app_settings_changed(app);
    g_clear_handle_id(&app->settling, g_source_remove);
    app->settling = g_timeout_add(EXTRAS_SETTLE_MS, on_settled, app);
}

gboolean pen_app_add_adapter(PenApp *app, const char *file)
{
    PenModelSpec *extras = app->settings->extras;
    if (pen_model_spec_find_lora(extras, file)) {
        g_autofree char *name = g_filename_display_basename(file);
        g_autofree char *text = g_strdup_printf(_("%s is in the list already."), name);
        pen_app_notify(app, GTK_MESSAGE_INFO, text);
        return FALSE;
    }
    pen_model_spec_add_lora(extras, file, 1);
    pen_app_extras_changed(app);
    return TRUE;
}

void pen_app_set_vae(PenApp *app, const char *file)
{
    PenModelSpec *extras = app->settings->extras;
    char *before = extras->vae;
    extras->vae = g_strdup(file);
    g_free(before);
    pen_app_extras_changed(app);
}

void pen_app_leave_out(PenApp *app, const char *file)
{
    PenModelSpec *extras = app->settings->extras;
    PenModelLora *lora = pen_model_spec_find_lora(extras, file);
    if (lora)
        g_ptr_array_remove(extras->loras, lora);
    if (!g_strcmp0(extras->vae, file))
        g_clear_pointer(&extras->vae, g_free);
    pen_app_extras_changed(app);
}

/* --- what the window works with ------------------------------------------------------------- */

gint64 pen_app_style(PenApp *app)
{
    return app->settings->style;
}

PenStyle *pen_app_load_style(PenApp *app)
{
    PenStore *store = pen_app_store(app);
    if (!store || !app->settings->style)
        return NULL;
    g_autoptr(PenStyle) style = pen_store_get_style(store, app->settings->style, NULL);
    return style && !style->deleted ? g_steal_pointer(&style) : NULL;
}

void pen_app_set_style(PenApp *app, gint64 style)
{
    if (app->settings->style == style)
        return;
    app->settings->style = style;
    g_clear_pointer(&app->settings->extras->prediction, g_free); /* it brings a model along */
    pen_app_settings_changed(app);
    pen_app_styles_changed(app);
    g_autoptr(PenStyle) chosen = pen_app_load_style(app);
    g_autofree char *words = pen_recipe_describe(app->settings->recipe);
    if (chosen && words) {
        g_autofree char *text =
            g_strdup_printf(_("“%s” draws with its recipe: %s"), chosen->name, words);
        pen_app_notify(app, GTK_MESSAGE_INFO, text);
    }
}

/* The settings as the style in use has them: another one may be used, or its recipe be another. */
static void use_recipe(PenApp *app, const PenStyle *style)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(PenRecipe) recipe = pen_recipe_parse(style ? style->recipe : NULL, &error);
    if (!recipe)
        pen_app_report(app, error);
    if (!recipe || !pen_recipe_use(app->settings, recipe))
        return;
    pen_app_settings_changed(app);
    g_signal_emit(app, signals[RECIPE_USED], 0);
}

void pen_app_styles_changed(PenApp *app)
{
    g_autoptr(PenStyle) style = pen_app_load_style(app);
    if (!style)
        app->settings->style = 0;
    use_recipe(app, style);
    g_signal_emit(app, signals[STYLES_CHANGED], 0);
    ask_model(app);
}

void pen_app_picks_changed(PenApp *app)
{
    g_signal_emit(app, signals[PICKS_CHANGED], 0);
}

const PenModelInfo *pen_app_model(PenApp *app)
{
    return app->model;
}

gboolean pen_app_is_reading_model(PenApp *app)
{
    return app->asked_model && !app->model;
}

GimpImage *pen_app_image(PenApp *app)
{
    GimpImage *image = app->image > 0 ? gimp_image_get_by_id(app->image) : NULL;
    return image && gimp_image_is_valid(image) ? image : NULL;
}

void pen_app_set_image(PenApp *app, GimpImage *image)
{
    gint32 id = image ? gimp_image_get_id(image) : 0;
    app->new_image = FALSE;
    if (app->image == id)
        return;
    app->image = id;
    g_signal_emit(app, signals[IMAGE_CHANGED], 0);
}

gboolean pen_app_wants_new_image(PenApp *app)
{
    return app->new_image;
}

void pen_app_set_new_image(PenApp *app)
{
    pen_app_set_image(app, NULL);
    app->new_image = TRUE;
}

void pen_app_placing_changed(PenApp *app)
{
    pen_app_settings_changed(app);
    g_signal_emit(app, signals[PLACING_CHANGED], 0);
}

void pen_app_start_from(PenApp *app, GimpImage *image)
{
    app->settings->from = PEN_FROM_LAYER;
    pen_app_settings_changed(app);
    pen_app_set_image(app, image);
}

/* --- messages -------------------------------------------------------------------------------- */

void pen_app_inserted(PenApp *app, PenInsertion *insertion)
{
    g_signal_emit(app, signals[INSERTED], 0, insertion);
}

void pen_app_notify(PenApp *app, GtkMessageType type, const char *text)
{
    app->told_of_extra = FALSE;
    g_signal_emit(app, signals[MESSAGE], 0, type, text, NULL, NULL);
}

typedef struct {
    PenApp *app;
    PenAppAnswer answer;
    char *data;
} Offer;

static void on_answer(gpointer instance, gpointer data)
{
    const Offer *offer = data;
    offer->answer(offer->app, offer->data);
}

static void offer_free(gpointer data, GClosure *closure)
{
    Offer *offer = data;
    g_free(offer->data);
    g_free(offer);
}

void pen_app_offer(PenApp *app, GtkMessageType type, const char *text, const char *button,
                   PenAppAnswer answer, const char *data)
{
    Offer *offer = g_new(Offer, 1);
    *offer = (Offer){ app, answer, g_strdup(data) };
    GClosure *closure = g_cclosure_new(G_CALLBACK(on_answer), offer, offer_free);
    g_closure_set_marshal(closure, g_cclosure_marshal_VOID__VOID);
    g_closure_ref(closure);
    g_closure_sink(closure);
    app->told_of_extra = FALSE;
    g_signal_emit(app, signals[MESSAGE], 0, type, text, button, closure);
    g_closure_unref(closure);
}

void pen_app_clear_message(PenApp *app)
{
    app->told_of_extra = FALSE;
    g_signal_emit(app, signals[MESSAGE_OVER], 0);
}

static gboolean names_file(const char *message, const char *file)
{
    g_autofree char *shown = file ? g_filename_display_name(file) : NULL;
    return shown && strstr(message, shown);
}

/* The file of the extras that a message is about, or NULL. */
static const char *find_extra(PenApp *app, const char *message)
{
    const PenModelSpec *extras = app->settings->extras;
    for (guint i = 0; i < extras->loras->len; i++) {
        const PenModelLora *lora = extras->loras->pdata[i];
        if (names_file(message, lora->file))
            return lora->file;
    }
    return names_file(message, extras->vae) ? extras->vae : NULL;
}

void pen_app_report(PenApp *app, const GError *error)
{
    pen_app_report_file(app, error, NULL);
}

void pen_app_report_file(PenApp *app, const GError *error, const char *advice)
{
    if (!error || g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        return;
    const char *file = find_extra(app, error->message);
    if (file)
        advice = _("Do without it, or put another file in its place.");
    g_autofree char *text =
        advice ? g_strdup_printf("%s %s", error->message, advice) : g_strdup(error->message);
    if (!file) {
        pen_app_notify(app, GTK_MESSAGE_ERROR, text);
        return;
    }
    pen_app_offer(app, GTK_MESSAGE_ERROR, text, _("Do _Without It"), pen_app_leave_out, file);
    app->told_of_extra = TRUE;
}

gboolean pen_app_event(PenApp *app, const PenStudioEvent *event)
{
    if (event->kind != PEN_STUDIO_NOTICE && event->kind != PEN_STUDIO_WARNING)
        return FALSE;
    pen_app_notify(app, GTK_MESSAGE_WARNING, event->text);
    return TRUE;
}

void pen_app_log_changed(PenApp *app)
{
    g_signal_emit(app, signals[LOG_CHANGED], 0);
}

void pen_app_rounds_changed(PenApp *app)
{
    g_signal_emit(app, signals[ROUNDS_CHANGED], 0);
    pen_app_picks_changed(app);
}

static void bring_back(PenApp *app, const char *round)
{
    g_autoptr(GError) error = NULL;
    if (!pen_store_undelete_round(pen_app_store(app), g_ascii_strtoll(round, NULL, 10), &error))
        pen_app_report(app, error);
    pen_app_rounds_changed(app);
}

void pen_app_delete_round(PenApp *app, gint64 round)
{
    g_autoptr(GError) error = NULL;
    if (!pen_store_delete_round(pen_app_store(app), round, &error)) {
        pen_app_report(app, error);
        return;
    }
    pen_app_rounds_changed(app);
    g_autofree char *id = g_strdup_printf("%" G_GINT64_FORMAT, round);
    g_autofree char *text =
        g_strdup_printf(_("Round %s is deleted, with its vote. Its pictures go after %d days."), id,
                        PEN_STORE_TRASH_DAYS);
    pen_app_offer(app, GTK_MESSAGE_WARNING, text, _("_Bring It Back"), bring_back, id);
}

GCancellable *pen_app_begin_job(PenApp *app)
{
    GCancellable *job = g_cancellable_new();
    g_ptr_array_add(app->jobs, job);
    g_signal_emit(app, signals[JOBS_CHANGED], 0);
    return job;
}

void pen_app_end_job(PenApp *app, GCancellable *job)
{
    g_ptr_array_remove(app->jobs, job);
    g_signal_emit(app, signals[JOBS_CHANGED], 0);
}

gboolean pen_app_is_busy(PenApp *app)
{
    return app->jobs->len > 0;
}

void pen_app_set_teaching(PenApp *app, gboolean teaching)
{
    app->teaching = teaching;
}

gboolean pen_app_is_teaching(PenApp *app)
{
    return app->teaching;
}
