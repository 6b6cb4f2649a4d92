// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "src/cli/bench.h"
#include "src/selftest/kernel-case.h"

#define REPEAT_SECONDS 1.0 /* of a kernel */

static gboolean measure_case(PenBench *bench, const PenKernelCase *c, PenDtype dtype,
                             PenKernelFigures *figures, GError **error)
{
    g_autoptr(PenKernelWork) work = pen_kernel_work_new(c, bench->device, dtype, FALSE, error);
    return work && pen_kernel_work_measure(work, REPEAT_SECONDS, figures, error);
}

/* --- PyTorch -----------------------------------------------------------------------------------
 */

#define TORCH_SCRIPT "/penchant/bench-torch.py"

/* Seconds of each case in turn (null: not possible), or NULL where there is no PyTorch. */
static JsonNode *measure_torch(void)
{
    g_autoptr(GBytes) script =
        g_resources_lookup_data(TORCH_SCRIPT, G_RESOURCE_LOOKUP_FLAGS_NONE, NULL);
    g_autofree char *python = g_find_program_in_path("python3");
    if (!script || !python)
        return NULL;
    g_autofree char *text = g_strndup(g_bytes_get_data(script, NULL), g_bytes_get_size(script));
    g_autoptr(GSubprocess) child =
        g_subprocess_new(G_SUBPROCESS_FLAGS_STDIN_PIPE | G_SUBPROCESS_FLAGS_STDOUT_PIPE |
                             G_SUBPROCESS_FLAGS_STDERR_SILENCE,
                         NULL, python, "-c", text, NULL);
    g_autoptr(JsonBuilder) builder = json_builder_new();
    json_builder_begin_array(builder);
    guint n_cases, n_sent = 0;
    const PenKernelCase *cases = pen_kernel_cases(&n_cases);
    for (guint i = 0; i < n_cases; i++) {
        const PenKernelCase *c = &cases[i];
        if (!c->bench)
            continue;
        n_sent++;
        json_builder_begin_object(builder);
        json_builder_set_member_name(builder, "kind");
        json_builder_add_string_value(builder, pen_kernel_kind_name(c->kind));
        json_builder_set_member_name(builder, "gradient");
        json_builder_add_boolean_value(builder, c->gradient);
        const struct {
            const char *name;
            guint32 value;
        } numbers[] = {
            { "rows", c->rows },     { "in", c->in },       { "out", c->out },
            { "height", c->height }, { "width", c->width }, { "stride", c->stride },
            { "keys", c->keys },     { "heads", c->heads }, { "kernel", c->kernel },
        };
        for (guint n = 0; n < G_N_ELEMENTS(numbers); n++) {
            json_builder_set_member_name(builder, numbers[n].name);
            json_builder_add_int_value(builder, numbers[n].value);
        }
        json_builder_end_object(builder);
    }
    json_builder_end_array(builder);
    g_autoptr(JsonNode) request = json_builder_get_root(builder);
    g_autofree char *in = json_to_string(request, FALSE), *out = NULL;
    if (!child || !g_subprocess_communicate_utf8(child, in, NULL, &out, NULL, NULL) ||
        !g_subprocess_get_successful(child))
        return NULL;
    JsonNode *answer = json_from_string(out, NULL);
    if (answer && JSON_NODE_HOLDS_ARRAY(answer) &&
        json_array_get_length(json_node_get_array(answer)) == n_sent)
        return answer;
    g_clear_pointer(&answer, json_node_unref);
    return NULL;
}

/* --- the table ---------------------------------------------------------------------------------
 */

/* Arithmetic is what counts for kernels that do much of it, memory for the others. */
static char *rate(const PenKernelCase *c, const PenKernelFigures *m, double seconds)
{
    return c->kind <= PEN_KERNEL_ATTENTION
               ? g_strdup_printf(_("%8.1f GFLOPS"), m->flops / seconds * 1e-9)
               : g_strdup_printf(_("%8.1f GB/s  "), m->bytes / seconds * 1e-9);
}

static void report(PenBench *bench, const PenKernelCase *c, PenDtype dtype, const PenKernelFigures *m, double torch)
{
    g_autofree char *name = pen_kernel_case_name(c);
    const char *precision = dtype == PEN_DTYPE_F16 ? "f16" : "f32";
    g_autofree char *ours = rate(c, m, m->seconds);
    g_autofree char *theirs = torch > 0 ? rate(c, m, torch) : NULL;
    g_autofree char *full = g_strdup_printf("%s %s", name, precision);
    pen_cli_print(bench->cli, "%-44s %s %10.3f ms%s%s", full, ours, m->seconds * 1e3,
                  theirs ? _("   PyTorch on the processor ") : "", theirs ? theirs : "");
    JsonObject *object = pen_cli_object("kernel");
    json_object_set_string_member(object, "name", name);
    json_object_set_string_member(object, "precision", precision);
    pen_cli_set_number(object, "seconds", m->seconds);
    pen_cli_set_number(object, "gflops", m->flops / m->seconds * 1e-9);
    pen_cli_set_number(object, "gbytes_per_second", m->bytes / m->seconds * 1e-9);
    if (torch > 0) {
        pen_cli_set_number(object, "torch_seconds", torch);
        pen_cli_set_number(object, "torch_gflops", m->flops / torch * 1e-9);
    }
    pen_cli_emit(bench->cli, object);
}

gboolean pen_bench_kernels(PenBench *bench, gboolean f32, gboolean f16, GError **error)
{
    g_autoptr(JsonNode) torch = f32 ? measure_torch() : NULL;
    const PenDtype dtypes[] = { PEN_DTYPE_F32, PEN_DTYPE_F16 };
    const gboolean wanted[] = { f32, f16 };
    guint n_cases;
    const PenKernelCase *cases = pen_kernel_cases(&n_cases);
    for (guint d = 0; d < G_N_ELEMENTS(dtypes); d++) {
        guint sent = 0;
        for (guint i = 0; wanted[d] && i < n_cases; i++) {
            PenKernelFigures measured;
            if (!cases[i].bench)
                continue;
            if (!measure_case(bench, &cases[i], dtypes[d], &measured, error))
                return FALSE;
            JsonNode *seconds = torch && dtypes[d] == PEN_DTYPE_F32
                                    ? json_array_get_element(json_node_get_array(torch), sent)
                                    : NULL;
            report(bench, &cases[i], dtypes[d], &measured,
                   seconds && JSON_NODE_HOLDS_VALUE(seconds) ? json_node_get_double(seconds) : 0);
            sent++;
        }
    }
    return TRUE;
}
