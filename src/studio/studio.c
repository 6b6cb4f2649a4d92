// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "compute/tune.h"
#include "src/engine/denoiser.h"
#include "src/studio/job.h"

G_DEFINE_QUARK(pen-studio-error-quark, pen_studio_error)

/* Progress events closer together than this are dropped. */
#define PROGRESS_INTERVAL (50 * G_TIME_SPAN_MILLISECOND)

/* So many models stay open. A spec is one of its own for each strength of an adapter, which a slider
 * runs through. */
#define OPEN_MODELS 8

typedef struct {
    char *spec;
    PenModel *model;
} OpenModel;

static void open_model_free(gpointer data)
{
    OpenModel *open = data;
    g_free(open->spec);
    pen_model_unref(open->model);
    g_free(open);
}

gboolean pen_studio_invalid(GError **error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *message = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error_literal(error, PEN_STUDIO_ERROR, PEN_STUDIO_ERROR_INVALID, message);
    return FALSE;
}

/* --- events ---------------------------------------------------------------------------------- */

typedef struct {
    PenStudioEventFunc func;
    gpointer data;
    PenStudioEvent event;
    char *text;
    guint8 *rgb;
    PenTrainingStep training;
} Delivery;

static gboolean deliver(gpointer data)
{
    Delivery *delivery = data;
    delivery->func(&delivery->event, delivery->data);
    return G_SOURCE_REMOVE;
}

static void delivery_free(gpointer data)
{
    Delivery *delivery = data;
    g_free(delivery->text);
    g_free(delivery->rgb);
    g_free(delivery);
}

void pen_job_event(PenJob *job, const PenStudioEvent *event)
{
    if (!job->event)
        return;
    Delivery *delivery = g_new0(Delivery, 1);
    delivery->func = job->event;
    delivery->data = job->event_data;
    delivery->event = *event;
    if (event->text)
        delivery->event.text = delivery->text = g_strdup(event->text);
    if (event->picture.rgb)
        delivery->event.picture.rgb = delivery->rgb = g_memdup2(
            event->picture.rgb, (gsize)3 * event->picture.width * event->picture.height);
    if (event->training) {
        delivery->training = *event->training;
        delivery->event.training = &delivery->training;
    }
    /* The same priority as the task's own return, so that all events come before it. */
    g_autoptr(GSource) source = g_idle_source_new();
    g_source_set_priority(source, G_PRIORITY_DEFAULT);
    g_source_set_callback(source, deliver, delivery, delivery_free);
    g_source_attach(source, g_task_get_context(job->task));
}

void pen_job_notice(PenJob *job, const char *text)
{
    pen_job_event(job, &(PenStudioEvent){.kind = PEN_STUDIO_NOTICE, .text = text});
}

void pen_job_warning(PenJob *job, const char *text)
{
    pen_job_event(job, &(PenStudioEvent){ .kind = PEN_STUDIO_WARNING, .text = text });
}

void pen_job_notice_memory(PenJob *job, const PenRuntime *runtime, gboolean recomputes)
{
    if (pen_runtime_eight_bits(runtime))
        pen_job_notice(job, _("Memory is short on the device: the model's weights are kept in 8 "
                              "bits, which changes pictures a little."));
    if (recomputes)
        pen_job_notice(job, _("Memory is short on the device: part of the work is done twice, "
                              "which takes longer."));
}

void pen_job_progress(PenJob *job, double fraction)
{
    gint64 now = g_get_monotonic_time();
    if (!job->started) {
        job->started = now;
        job->started_with = fraction;
    }
    if (now - job->last_progress < PROGRESS_INTERVAL && fraction < 1)
        return;
    job->last_progress = now;
    double done = fraction - job->started_with, seconds = (double)(now - job->started) * 1e-6;
    pen_job_event(job, &(PenStudioEvent){
                           .kind = PEN_STUDIO_PROGRESS,
                           .fraction = fraction,
                           .seconds_left = done > 0 && seconds > 0.2
                                               ? seconds / done * (1 - fraction)
                                               : -1,
                       });
}

/* --- the worker thread ----------------------------------------------------------------------- */

static void workshop_close_model(PenWorkshop *workshop)
{
    g_clear_pointer(&workshop->previewer, pen_previewer_free);
    g_clear_pointer(&workshop->runtime, pen_runtime_free);
    g_clear_pointer(&workshop->spec, g_free);
}

static void workshop_close(PenWorkshop *workshop)
{
    workshop_close_model(workshop);
    g_clear_pointer(&workshop->device, pen_device_unref);
}

void pen_job_close_device(PenJob *job)
{
    workshop_close(&job->studio->workshop);
}

static void job_free(gpointer data)
{
    PenJob *job = data;
    if (job->input_free)
        job->input_free(job->input);
    g_clear_object(&job->cancellable);
    g_free(job);
}

static gpointer work(gpointer data)
{
    PenStudio *studio = data;
    for (;;) {
        gpointer item = g_async_queue_pop(studio->jobs);
        if (item == studio) /* the end */
            break;
        GTask *task = item;
        PenJob *job = g_task_get_task_data(task);
        GError *error = NULL;
        gpointer result = NULL;
        if (!g_cancellable_set_error_if_cancelled(job->cancellable, &error))
            result = job->run(job, &error);
        if (g_error_matches(error, PEN_COMPUTE_ERROR, PEN_COMPUTE_ERROR_DEVICE_LOST))
            workshop_close(&studio->workshop); /* the next job opens it anew */
        if (result)
            g_task_return_pointer(task, result, job->result_free);
        else
            g_task_return_error(task, error);
        g_object_unref(task);
    }
    workshop_close(&studio->workshop);
    return NULL;
}

void pen_job_start(PenStudio *studio, gpointer (*run)(PenJob *job, GError **error),
                   gpointer input, GDestroyNotify input_free, GDestroyNotify result_free,
                   PenStudioEventFunc event, gpointer event_data, GCancellable *cancellable,
                   GAsyncReadyCallback callback, gpointer user_data, gpointer tag)
{
    GTask *task = g_task_new(NULL, cancellable, callback, user_data);
    /* What was finished before a cancellation is reported by the job itself. */
    g_task_set_check_cancellable(task, FALSE);
    g_task_set_source_tag(task, tag);
    PenJob *job = g_new0(PenJob, 1);
    job->studio = studio;
    job->task = task;
    job->event = event;
    job->event_data = event_data;
    job->cancellable = cancellable ? g_object_ref(cancellable) : NULL;
    job->run = run;
    job->result_free = result_free;
    job->input = input;
    job->input_free = input_free;
    g_task_set_task_data(task, job, job_free);
    g_async_queue_push(studio->jobs, task);
}

PenStudio *pen_studio_new(const char *data_folder, const char *device, const char *precision,
                          GError **error)
{
    if (precision && !g_str_equal(precision, "f32") && !g_str_equal(precision, "f16")) {
        g_set_error(error, PEN_STUDIO_ERROR, PEN_STUDIO_ERROR_INVALID,
                    _("“%s” is not a precision. Use f32 or f16."), precision);
        return NULL;
    }
    PenStore *store = pen_store_open(data_folder, error);
    if (!store)
        return NULL;
    PenStudio *studio = g_new0(PenStudio, 1);
    studio->store = store;
    studio->device_wanted = g_strdup(device);
    studio->precision = g_strdup(precision);
    studio->jobs = g_async_queue_new();
    g_mutex_init(&studio->models_lock);
    studio->models = g_queue_new();
    studio->thread = g_thread_new("penchant-studio", work, studio);
    return studio;
}

void pen_studio_free(PenStudio *studio)
{
    if (!studio)
        return;
    g_async_queue_push(studio->jobs, studio);
    g_thread_join(studio->thread);
    g_async_queue_unref(studio->jobs);
    g_queue_free_full(studio->models, open_model_free);
    g_mutex_clear(&studio->models_lock);
    pen_store_close(studio->store);
    g_free(studio->device_wanted);
    g_free(studio->precision);
    g_free(studio);
}

PenStore *pen_studio_store(PenStudio *studio)
{
    return studio->store;
}

/* --- models and device ----------------------------------------------------------------------- */

/* Takes the model out of those that are open, if it is among them and its files are as they were. */
static OpenModel *take_open_model(PenStudio *studio, const char *spec)
{
    for (GList *link = studio->models->head; link; link = link->next) {
        OpenModel *open = link->data;
        if (!g_str_equal(open->spec, spec))
            continue;
        g_queue_delete_link(studio->models, link);
        if (pen_model_is_current(open->model))
            return open;
        open_model_free(open);
        return NULL;
    }
    return NULL;
}

PenModel *pen_studio_open_model(PenStudio *studio, const char *spec, GError **error)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&studio->models_lock);
    OpenModel *open = take_open_model(studio, spec);
    if (!open) {
        PenModel *model = pen_model_open(spec, error);
        if (!model)
            return NULL;
        open = g_new(OpenModel, 1);
        *open = (OpenModel){ .spec = g_strdup(spec), .model = model };
    }
    g_queue_push_head(studio->models, open);
    while (g_queue_get_length(studio->models) > OPEN_MODELS)
        open_model_free(g_queue_pop_tail(studio->models));
    return pen_model_ref(open->model);
}

static gboolean lies_there(const char *text)
{
    g_autoptr(PenModelSpec) spec = text ? pen_model_spec_parse(text, NULL) : NULL;
    return spec && spec->model && g_file_test(spec->model, G_FILE_TEST_EXISTS);
}

/* Whether a spec is of the model that the style was made for, or leads to that one with more adapters;
 * FALSE too where it cannot be opened. */
static gboolean is_of_style(PenStudio *studio, const char *spec, const PenStyle *style)
{
    g_autoptr(PenModel) model = pen_studio_open_model(studio, spec, NULL);
    return model && pen_model_includes(model, style->model_hash);
}

/* The style's spec with another model in it. */
static char *with_model(const PenStyle *style, const char *path)
{
    g_autoptr(PenModelSpec) spec = pen_model_spec_parse(style->model_path, NULL);
    if (!spec)
        return g_strdup(path);
    g_free(spec->model);
    spec->model = g_strdup(path);
    return pen_model_spec_to_text(spec);
}

char *pen_studio_search_model(PenStudio *studio, const PenStyle *style)
{
    g_auto(GStrv) names = pen_model_names();
    for (guint i = 0; names[i]; i++) {
        g_autofree char *found = pen_model_find(names[i], NULL);
        g_autofree char *spec = found ? with_model(style, found) : NULL;
        if (spec && is_of_style(studio, spec, style))
            return g_steal_pointer(&spec);
    }
    return NULL;
}

/* Where a style's model lies: where its latest round found it, else where it was when the style was
 * made, else wherever its content is found. */
static char *find_style_model(PenStudio *studio, const PenStyle *style, GError **error)
{
    g_autoptr(GPtrArray) rounds = pen_store_list_rounds(studio->store, style->id, 1, error);
    if (!rounds)
        return NULL;
    const PenRound *round = rounds->len ? rounds->pdata[0] : NULL;
    const char *places[] = { round ? round->model_path : NULL, style->model_path };
    const char *another = NULL; /* what lies there now says itself what is wrong with it */
    for (guint i = 0; i < G_N_ELEMENTS(places); i++) {
        if (!lies_there(places[i]))
            continue;
        if (is_of_style(studio, places[i], style))
            return g_strdup(places[i]);
        another = another ? another : places[i];
    }
    char *found = another ? g_strdup(another) : pen_studio_search_model(studio, style);
    if (!found) {
        g_autoptr(PenModelSpec) spec = pen_model_spec_parse(style->model_path, NULL);
        g_autofree char *was = g_filename_display_name(spec && spec->model ? spec->model : "?");
        g_set_error(error, PEN_STUDIO_ERROR, PEN_STUDIO_ERROR_MODEL_GONE,
                    _("The model “%s” of the style “%s” is no longer at %s: put it back, into the "
                      "models folder, or say where it is now (“Find Its Model…” on the Styles page, or "
                      "“penchant style relocate”)."),
                    style->model_name, style->name, was);
    }
    return found;
}

gboolean pen_studio_check_style_model(PenStudio *studio, gint64 style, GError **error)
{
    g_autoptr(PenStyle) row = pen_store_get_style(studio->store, style, error);
    g_autofree char *found = row ? find_style_model(studio, row, error) : NULL;
    return found != NULL;
}

gboolean pen_studio_relocate_style(PenStudio *studio, gint64 style, const char *model,
                                   GError **error)
{
    g_autoptr(PenStyle) row = pen_store_get_style(studio->store, style, error);
    g_autofree char *found = row ? pen_model_find(model, error) : NULL;
    g_autoptr(PenModelSpec) said = found ? pen_model_spec_parse(found, error) : NULL;
    if (!said)
        return FALSE;
    g_autofree char *spec = said->loras->len ? g_strdup(found) : with_model(row, said->model);
    g_autoptr(PenModel) opened = pen_studio_open_model(studio, spec, error);
    if (!opened)
        return FALSE;
    if (!pen_model_includes(opened, row->model_hash)) {
        g_set_error(error, PEN_STUDIO_ERROR, PEN_STUDIO_ERROR_INVALID,
                    _("“%s” is not the model that the style “%s” was made for: its content is "
                      "another one's."),
                    opened->name, row->name);
        return FALSE;
    }
    return pen_store_set_style_model_path(studio->store, style, spec, error);
}

static char *find_checked(PenStudio *studio, const char *wanted, const PenStyle *style,
                          GError **error)
{
    g_autofree char *spec = pen_model_find(wanted, error);
    if (!spec || !style)
        return g_steal_pointer(&spec);
    g_autoptr(PenModel) model = pen_studio_open_model(studio, spec, error);
    if (!model)
        return NULL;
    if (!pen_model_includes(model, style->model_hash)) {
        g_set_error(error, PEN_STUDIO_ERROR, PEN_STUDIO_ERROR_INVALID,
                    _("The style “%s” was made for the model “%s”, not for “%s” as it is asked "
                      "for. Choose that model, or another style."),
                    style->name, style->model_name, model->name);
        return NULL;
    }
    return g_steal_pointer(&spec);
}

char *pen_studio_find_model(PenStudio *studio, const char *wanted, const PenStyle *style,
                            GError **error)
{
    g_autoptr(PenModelSpec) said = pen_model_spec_parse(wanted, error);
    if (!said)
        return NULL;
    if (said->model || !style)
        return find_checked(studio, wanted, style, error);
    g_autofree char *own = find_style_model(studio, style, error);
    g_autoptr(PenModelSpec) spec = own ? pen_model_spec_parse(own, error) : NULL;
    if (!spec)
        return NULL;
    pen_model_spec_overlay(spec, said);
    g_autofree char *both = pen_model_spec_to_text(spec);
    return find_checked(studio, both, style, error);
}

char *pen_studio_find_taught_model(PenStudio *studio, const PenStyle *style, GError **error)
{
    g_autofree char *own = find_style_model(studio, style, error);
    g_autoptr(PenModelSpec) spec = own ? pen_model_spec_parse(own, error) : NULL;
    if (!spec)
        return NULL;
    if (spec->vae && !g_file_test(spec->vae, G_FILE_TEST_EXISTS))
        g_clear_pointer(&spec->vae, g_free);
    g_autofree char *text = pen_model_spec_to_text(spec);
    return find_checked(studio, text, style, error);
}

static gboolean open_device(PenJob *job, GError **error)
{
    PenWorkshop *workshop = &job->studio->workshop;
    if (workshop->device)
        return TRUE;
    workshop->device = pen_device_open(job->studio->device_wanted, error);
    if (!workshop->device)
        return FALSE;
    const PenDeviceInfo *info = pen_device_info(workshop->device);
    pen_job_event(job, &(PenStudioEvent){.kind = PEN_STUDIO_DEVICE, .text = info->name});
    if (info->kind == PEN_DEVICE_SOFTWARE) {
        pen_job_notice(job, _("No GPU was found: the processor does the work, more slowly."));
        return TRUE;
    }
    /* Where that fails the usual tiles do; if the device is broken, the work itself says so. */
    pen_device_tune(workshop->device, NULL);
    return TRUE;
}

static void on_load(double fraction, gpointer user_data)
{
    pen_job_event(user_data, &(PenStudioEvent){.kind = PEN_STUDIO_LOADING, .fraction = fraction});
}

/* Loads the UNet's weights, most of the model, with progress. */
static gboolean load_weights(PenJob *job, PenRuntime *runtime, GError **error)
{
    guint32 size = pen_runtime_model(runtime)->unet.sample_size;
    PenUNetOptions options = {.batch = 1, .height = MAX(size, 8), .width = MAX(size, 8)};
    g_autoptr(PenUNet) unet = pen_runtime_unet(runtime, &options, error);
    return unet && pen_runtime_load_unet(runtime, on_load, job, job->cancellable, error);
}

PenRuntime *pen_job_runtime(PenJob *job, const char *spec, GError **error)
{
    PenStudio *studio = job->studio;
    PenWorkshop *workshop = &studio->workshop;
    if (g_strcmp0(workshop->spec, spec) == 0 &&
        pen_model_is_current(pen_runtime_model(workshop->runtime)))
        return workshop->runtime;
    workshop_close_model(workshop);
    g_autoptr(PenModel) model = pen_studio_open_model(studio, spec, error);
    if (!model || !open_device(job, error))
        return NULL;
    PenDtype dtype = pen_runtime_preferred_dtype(pen_device_info(workshop->device));
    if (studio->precision)
        dtype = g_str_equal(studio->precision, "f16") ? PEN_DTYPE_F16 : PEN_DTYPE_F32;
    on_load(0, job);
    g_autoptr(PenRuntime) runtime = pen_runtime_new(model, workshop->device, dtype, error);
    if (!runtime || !load_weights(job, runtime, error))
        return NULL;
    workshop->runtime = g_steal_pointer(&runtime);
    workshop->spec = g_strdup(spec);
    if (model->notice)
        pen_job_warning(job, model->notice);
    return workshop->runtime;
}

PenPreviewer *pen_job_previewer(PenJob *job, GError **error)
{
    PenWorkshop *workshop = &job->studio->workshop;
    if (!workshop->previewer)
        workshop->previewer = pen_previewer_new(workshop->runtime, job->cancellable, error);
    return workshop->previewer;
}

/* --- getting ready ---------------------------------------------------------------------------- */

typedef struct {
    char *model;
    gint64 style;
} Preparation;

static void preparation_free(gpointer data)
{
    Preparation *preparation = data;
    g_free(preparation->model);
    g_free(preparation);
}

/* What of the model's usual pictures does not fit the device is said before one is asked for: the plan knows
 * what it takes before it takes it. */
static gboolean foresee(PenJob *job, PenRuntime *runtime, GError **error)
{
    const PenModel *model = pen_runtime_model(runtime);
    PenDevice *device = pen_runtime_device(runtime);
    guint32 side = model->unet.sample_size ? model->unet.sample_size : 64;
    gboolean guided = (model->few_steps.name ? model->few_steps.guidance : model->guidance) != 1;
    PenDenoiserOptions options = { .height = side, .width = side, .pictures = 1, .guided = guided,
                                   .shrinks = TRUE };
    g_autoptr(PenDenoiser) denoiser = pen_denoiser_new(runtime, &options, error);
    if (!denoiser)
        return FALSE;
    pen_job_notice_memory(job, runtime, FALSE);
    if (pen_denoiser_fits(denoiser))
        return TRUE;
    g_autofree char *needed = g_format_size_full(pen_plan_bytes(pen_denoiser_plan(denoiser)),
                                                 G_FORMAT_SIZE_IEC_UNITS);
    g_autofree char *left =
        g_format_size_full(pen_device_memory_left(device), G_FORMAT_SIZE_IEC_UNITS);
    g_autofree char *text = g_strdup_printf(
        _("A picture of %u × %u pixels does not fit into this device's memory: “%s” needs %s more for it, and %s are "
          "free. Choose a smaller size or model, or close what else uses the graphics card."),
        side * model->factor, side * model->factor, model->name, needed, left);
    pen_job_warning(job, text);
    return TRUE;
}

static gpointer prepare(PenJob *job, GError **error)
{
    const Preparation *input = job->input;
    g_autoptr(PenStyle) style = NULL;
    if (input->style) {
        style = pen_store_get_style(job->studio->store, input->style, error);
        if (!style)
            return NULL;
    }
    g_autofree char *spec = pen_studio_find_model(job->studio, input->model, style, error);
    PenRuntime *runtime = spec ? pen_job_runtime(job, spec, error) : NULL;
    if (!runtime)
        return NULL;
    /* The text encoder is what every job needs next, and may be what does not fit. */
    const char *text = "";
    g_autoptr(PenConditioning) conditioning = NULL;
    return pen_runtime_encode_texts(runtime, &text, 1, &conditioning, NULL, job->cancellable, error) &&
                   foresee(job, runtime, error)
               ? runtime
               : NULL;
}

void pen_studio_prepare_async(PenStudio *studio, const char *model, gint64 style,
                              PenStudioEventFunc event, gpointer event_data,
                              GCancellable *cancellable, GAsyncReadyCallback callback,
                              gpointer user_data)
{
    Preparation *input = g_new(Preparation, 1);
    *input = (Preparation){.model = g_strdup(model), .style = style};
    pen_job_start(studio, prepare, input, preparation_free, NULL, event, event_data, cancellable,
                  callback, user_data, pen_studio_prepare_async);
}

gboolean pen_studio_prepare_finish(PenStudio *studio G_GNUC_UNUSED, GAsyncResult *result,
                                   GError **error)
{
    return g_task_propagate_pointer(G_TASK(result), error) != NULL;
}

static gpointer list_devices(PenJob *job G_GNUC_UNUSED, GError **error)
{
    return pen_device_list(error);
}

void pen_studio_list_devices_async(PenStudio *studio, GCancellable *cancellable,
                                   GAsyncReadyCallback callback, gpointer user_data)
{
    pen_job_start(studio, list_devices, NULL, NULL, (GDestroyNotify)g_ptr_array_unref, NULL, NULL,
                  cancellable, callback, user_data, pen_studio_list_devices_async);
}

GPtrArray *pen_studio_list_devices_finish(PenStudio *studio G_GNUC_UNUSED, GAsyncResult *result,
                                          GError **error)
{
    return g_task_propagate_pointer(G_TASK(result), error);
}

/* On the worker thread, in line with the jobs: only there are device and model touched. */
static gpointer change_device(PenJob *job, GError **error G_GNUC_UNUSED)
{
    PenStudio *studio = job->studio;
    workshop_close(&studio->workshop);
    g_free(studio->device_wanted);
    studio->device_wanted = g_strdup(job->input);
    return studio;
}

void pen_studio_set_device(PenStudio *studio, const char *device)
{
    pen_job_start(studio, change_device, g_strdup(device), g_free, NULL, NULL, NULL, NULL, NULL,
                  NULL, pen_studio_set_device);
}
