// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include <glib/gi18n-lib.h>
#include <glib/gstdio.h>
#include <math.h>

#include "compute/findings.h"
#include "compute/tune.h"
#include "src/models/model.h"
#include "src/selftest/checks.h"

/* A slow device is asked for no more than it can do in this time. */
#define LIMIT_SECONDS 540

/* What takes more than this is not for a quick self-test. */
#define QUICK_FLOPS 5e8

/* --- rows ------------------------------------------------------------------------------------ */

PenSelftestRow *pen_selftest_row_new(PenDevice *device, PenDtype dtype, const char *name)
{
    PenSelftestRow *row = g_new0(PenSelftestRow, 1);
    row->name = g_strdup(name);
    row->kernels = pen_device_info(device)->kernels;
    row->dtype = dtype;
    row->outcome = PEN_SELFTEST_NOT_RUN;
    row->error = NAN;
    return row;
}

void pen_selftest_row_free(PenSelftestRow *row)
{
    if (!row)
        return;
    g_free(row->name);
    g_free(row->why);
    g_free(row->projections);
    g_free(row);
}

gboolean pen_selftest_row_fail(PenSelftestRow *row, GError *failure, GError **error)
{
    if (g_error_matches(failure, G_IO_ERROR, G_IO_ERROR_CANCELLED)) {
        g_propagate_error(error, failure);
        return FALSE;
    }
    gboolean wrong =
        failure->domain == PEN_COMPUTE_ERROR
            ? failure->code != PEN_COMPUTE_ERROR_OUT_OF_MEMORY &&
                  failure->code != PEN_COMPUTE_ERROR_UNSUPPORTED
            : g_error_matches(failure, PEN_MODEL_ERROR, PEN_MODEL_ERROR_NOT_FINITE) ||
                  g_error_matches(failure, PEN_MODEL_ERROR, PEN_MODEL_ERROR_TOO_NARROW);
    row->outcome = wrong ? PEN_SELFTEST_WRONG : PEN_SELFTEST_NOT_RUN;
    row->why = g_strdup(failure->message);
    g_error_free(failure);
    return TRUE;
}

/* --- one device ------------------------------------------------------------------------------ */

typedef struct {
    const PenSelftestOptions *options;
    GCancellable *cancellable;
    PenSelftest *result;
    guint tested[2]; /* by PenDtype: bits by PenKernels */
    gint64 started;
    PenDevice *device; /* under test */
} Run;

static gboolean is_out_of_time(const Run *run)
{
    return g_get_monotonic_time() - run->started > LIMIT_SECONDS * G_USEC_PER_SEC;
}

/* Takes the row over. */
static void add_row(Run *run, PenSelftestRow *row)
{
    if (run->options->result)
        run->options->result(row, run->options->user_data);
    g_ptr_array_add(run->result->rows, row);
}

/* A kernel case, or where `kernel_case` is NULL a check of the model. */
static gboolean run_test(Run *run, const PenKernelCase *kernel_case, PenModelCheck check,
                         PenDtype dtype, double fraction, GError **error)
{
    g_autofree char *name =
        kernel_case ? pen_kernel_case_name(kernel_case) : g_strdup(pen_model_check_name(check));
    g_autoptr(PenSelftestRow) row = pen_selftest_row_new(run->device, dtype, name);
    if (run->options->progress)
        run->options->progress(fraction, name, run->options->user_data);
    if (g_cancellable_set_error_if_cancelled(run->cancellable, error))
        return FALSE;
    if (!(kernel_case
              ? pen_kernel_check(kernel_case, run->device, dtype, row, run->cancellable, error)
              : pen_model_check(check, run->device, dtype, row, run->cancellable, error)))
        return FALSE;
    if (row->outcome == PEN_SELFTEST_WRONG)
        run->result->info->wrong_kernels[dtype] |= 1u << row->kernels;
    add_row(run, g_steal_pointer(&row));
    return TRUE;
}

/* One row for all the tests that the time does not suffice for. */
static void add_unrun(Run *run)
{
    PenSelftestRow *row = pen_selftest_row_new(run->device, PEN_DTYPE_F32, "all others");
    row->why = g_strdup(_("the time was up"));
    add_row(run, row);
}

/* All tests of the device in the precisions that were not tested yet with its kernels. */
static gboolean test_device(Run *run, GError **error)
{
    const PenDeviceInfo *info = pen_device_info(run->device);
    guint n;
    const PenKernelCase *cases = pen_kernel_cases(&n);
    guint untested = 0;
    for (PenDtype dtype = PEN_DTYPE_F32; dtype <= PEN_DTYPE_F16; dtype++)
        if ((dtype == PEN_DTYPE_F32 || info->float16) &&
            !(run->tested[dtype] & 1u << info->kernels))
            untested |= 1u << dtype;
    /* The model first: it proves most, should the time be up. */
    for (guint i = 0; i < PEN_N_MODEL_CHECKS + n; i++) {
        const PenKernelCase *kernel_case =
            i < PEN_N_MODEL_CHECKS ? NULL : &cases[i - PEN_N_MODEL_CHECKS];
        if (kernel_case && run->options->quick && pen_kernel_case_flops(kernel_case) > QUICK_FLOPS)
            continue;
        if (untested && is_out_of_time(run)) {
            add_unrun(run);
            break;
        }
        for (PenDtype dtype = PEN_DTYPE_F32; dtype <= PEN_DTYPE_F16; dtype++)
            if (untested & 1u << dtype &&
                !run_test(run, kernel_case, i, dtype, (double)i / (n + PEN_N_MODEL_CHECKS), error))
                return FALSE;
    }
    for (PenDtype dtype = PEN_DTYPE_F32; dtype <= PEN_DTYPE_F16; dtype++)
        if (untested & 1u << dtype)
            run->tested[dtype] |= 1u << info->kernels;
    return TRUE;
}

/* --- the report ------------------------------------------------------------------------------ */

static const char *const verdict_names[] = { "good", "kernels left out", "unusable", "incomplete" };

static void report_device(GKeyFile *file, const PenDeviceInfo *info)
{
    const struct {
        const char *name;
        guint64 value;
    } numbers[] = {
        { "vendor", info->vendor_id },
        { "id", info->device_id },
        { "subgroup size", info->subgroup_size },
        { "smallest subgroup", info->subgroup_min },
        { "largest subgroup", info->subgroup_max },
        { "subgroups of a workgroup", info->max_subgroups },
        { "invocations of a workgroup", info->max_workgroup },
        { "shared memory", info->shared_memory },
        { "bindings", info->max_bindings },
        { "bytes of a binding", info->max_binding },
        { "bytes of an allocation", info->max_allocation },
        { "memory", info->memory_total },
        { "memory available", info->memory_available },
    };
    const struct {
        const char *name;
        gboolean value;
    } abilities[] = {
        { "float16", info->float16 },
        { "float16 arithmetic", info->float16_arithmetic },
        { "choice of subgroups", info->subgroup_choice },
        { "shuffles", info->shuffles },
        { "addresses", info->addresses },
        { "unified memory", info->unified_memory },
    };
    g_autofree char *vulkan =
        g_strdup_printf("%u.%u.%u", info->api_version >> 22 & 0x7f, info->api_version >> 12 & 0x3ff,
                        info->api_version & 0xfff);
    g_autofree char *matrix =
        g_strdup_printf("%ux%ux%u", info->matrix.m, info->matrix.n, info->matrix.k);
    g_key_file_set_string(file, "device", "name", info->name);
    g_key_file_set_string(file, "device", "driver", info->driver);
    g_key_file_set_string(file, "device", "Vulkan", vulkan);
    g_key_file_set_string(file, "device", "kernels", pen_kernels_name(info->kernels));
    g_key_file_set_string(file, "device", "matrices", matrix);
    for (guint i = 0; i < G_N_ELEMENTS(numbers); i++)
        g_key_file_set_uint64(file, "device", numbers[i].name, numbers[i].value);
    for (guint i = 0; i < G_N_ELEMENTS(abilities); i++)
        g_key_file_set_boolean(file, "device", abilities[i].name, abilities[i].value);
}

static void report_row(GKeyFile *file, const PenSelftestRow *row)
{
    static const char *const outcomes[] = { "right", "WRONG", "not run" };
    g_autofree char *group = pen_findings_name(row->kernels, row->dtype);
    g_autoptr(GString) text = g_string_new(outcomes[row->outcome]);
    if (!isnan(row->error))
        g_string_append_printf(text, ", off by %.2g of %.2g", row->error, row->tolerance);
    if (row->figures.seconds > 0)
        g_string_append_printf(text, ", %.4g ms, %.1f GFLOPS, %.1f GB/s",
                               row->figures.seconds * 1e3,
                               row->figures.flops / row->figures.seconds * 1e-9,
                               row->figures.bytes / row->figures.seconds * 1e-9);
    if (*row->figures.kernel)
        g_string_append_printf(text, ", %s", row->figures.kernel);
    if (row->why)
        g_string_append_printf(text, ": %s", row->why);
    g_key_file_set_string(file, group, row->name, text->str);
}

static gboolean keep(const PenSelftest *result, GError **error)
{
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_autoptr(GDateTime) now = g_date_time_new_now_utc();
    g_autofree char *time = g_date_time_format_iso8601(now);
    g_key_file_set_comment(
        file, NULL, NULL,
        " What “penchant selftest” found; safe to delete. Reports of wrong pictures and "
        "failures want this file.",
        NULL);
    g_key_file_set_string(file, "findings", "verdict", verdict_names[result->verdict]);
    g_key_file_set_string(file, "findings", "time", time);
    g_key_file_set_string(file, "findings", "penchant", PACKAGE_VERSION);
    report_device(file, result->info);
    for (guint i = 0; i < result->rows->len; i++)
        report_row(file, result->rows->pdata[i]);
    return pen_findings_write(result->info, file, error);
}

/* --- the whole ------------------------------------------------------------------------------- */

static PenDeviceInfo *copy_info(const PenDeviceInfo *info)
{
    PenDeviceInfo *copy = g_memdup2(info, sizeof *info);
    copy->name = g_strdup(info->name);
    copy->driver = g_strdup(info->driver);
    copy->findings = g_strdup(info->findings);
    return copy;
}

static gboolean has_outcome(const PenSelftest *result, PenSelftestOutcome outcome)
{
    for (guint i = 0; i < result->rows->len; i++)
        if (((const PenSelftestRow *)result->rows->pdata[i])->outcome == outcome)
            return TRUE;
    return FALSE;
}

/* Opens the device as it would be opened now, and tests it; FALSE with an error where that has to
 * end. `*again`: kernels were left out, and others are to be tested. */
static gboolean test_kernels(Run *run, const char *index, gboolean *again, GError **error)
{
    PenSelftest *result = run->result;
    g_autoptr(PenDevice) device = pen_device_open(index, error);
    if (!device)
        return FALSE;
    /* What follows is measured with the tiles that are used from then on; where that fails, so do
     * the tests. */
    if (pen_device_info(device)->kind != PEN_DEVICE_SOFTWARE)
        pen_device_tune(device, NULL);
    PenDeviceInfo *info = copy_info(pen_device_info(device));
    for (guint d = 0; d < G_N_ELEMENTS(info->wrong_kernels); d++)
        info->wrong_kernels[d] |= result->info ? result->info->wrong_kernels[d] : 0;
    pen_device_info_free(result->info);
    result->info = info;
    guint before[2] = { info->wrong_kernels[0], info->wrong_kernels[1] };
    run->device = device;
    if (!test_device(run, error))
        return FALSE;
    *again = before[0] != info->wrong_kernels[0] || before[1] != info->wrong_kernels[1];
    result->verdict = has_outcome(result, PEN_SELFTEST_WRONG)     ? PEN_SELFTEST_LEFT_OUT
                      : has_outcome(result, PEN_SELFTEST_NOT_RUN) ? PEN_SELFTEST_INCOMPLETE
                                                                  : PEN_SELFTEST_GOOD;
    return keep(result, error);
}

/* The index of the wanted device, whatever was found of it before, and its file. */
static char *find_device(const char *wanted, char **findings, GError **error)
{
    g_autoptr(GPtrArray) list = pen_device_list_untested(error);
    int index = list ? pen_device_choose(list, wanted, NULL, error) : -1;
    if (index < 0)
        return NULL;
    *findings = g_strdup(((const PenDeviceInfo *)list->pdata[index])->findings);
    return g_strdup_printf("%d", index);
}

PenSelftest *pen_selftest_run(const PenSelftestOptions *options, GCancellable *cancellable,
                              GError **error)
{
    g_autofree char *findings = NULL, *earlier = NULL;
    g_autofree char *index = find_device(options->device, &findings, error);
    if (!index)
        return NULL;
    g_file_get_contents(findings, &earlier, NULL, NULL);
    g_unlink(findings);

    g_autoptr(PenSelftest) result = g_new0(PenSelftest, 1);
    result->rows = g_ptr_array_new_with_free_func((GDestroyNotify)pen_selftest_row_free);
    Run run = {
        .options = options,
        .cancellable = cancellable,
        .result = result,
        .started = g_get_monotonic_time(),
    };
    gboolean again = TRUE;
    g_autoptr(GError) failure = NULL;
    while (again && test_kernels(&run, index, &again, &failure))
        ;
    result->seconds = (double)(g_get_monotonic_time() - run.started) / G_USEC_PER_SEC;
    if (!failure)
        return g_steal_pointer(&result);
    /* The device cannot be opened any more with what is left of its kernels. */
    if (result->info && failure->domain == PEN_COMPUTE_ERROR && again) {
        result->verdict = PEN_SELFTEST_UNUSABLE;
        if (keep(result, error))
            return g_steal_pointer(&result);
    } else {
        g_propagate_error(error, g_steal_pointer(&failure));
    }
    if (earlier)
        g_file_set_contents(findings, earlier, -1, NULL);
    else
        g_unlink(findings);
    return NULL;
}

void pen_selftest_free(PenSelftest *selftest)
{
    if (!selftest)
        return;
    pen_device_info_free(selftest->info);
    g_ptr_array_unref(selftest->rows);
    g_free(selftest);
}

char *pen_selftest_verdict_text(const PenSelftest *selftest)
{
    const PenDeviceInfo *info = selftest->info;
    switch (selftest->verdict) {
    case PEN_SELFTEST_GOOD:
        return g_strdup_printf(_("%s computes what it should."), info->name);
    case PEN_SELFTEST_INCOMPLETE:
        return g_strdup_printf(
            _("%s computes what it should, as far as it was tested: not everything could be."),
            info->name);
    case PEN_SELFTEST_LEFT_OUT:
        return g_strdup_printf(
            _("The driver of %s computes wrongly with some kernels. They are left out from now on, "
              "and pictures come out right, perhaps more slowly. Please report it, with the "
              "file below."),
            info->name);
    case PEN_SELFTEST_UNUSABLE:
        return g_strdup_printf(
            _("The driver of %s computes wrongly: it is not used any more. Update the driver and "
              "test again, or choose another device. Please report it, with the file below."),
            info->name);
    }
    g_return_val_if_reached(NULL);
}
