// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include <glib/gi18n-lib.h>

#include "compute/findings.h"
#include "src/cli/cli.h"

/* Rows x columns x what is summed over. */
static char *matrix_text(const PenDeviceInfo *info)
{
    PenMatrixShape matrix = info->matrix;
    return matrix.m ? g_strdup_printf("%ux%ux%u", matrix.m, matrix.n, matrix.k) : g_strdup(_("no"));
}

/* "matrix.f16, shared.f16": kernels that a self-test found wrong; NULL: none. */
static char *wrong_kernels(const PenDeviceInfo *info)
{
    g_autoptr(GString) names = g_string_new(NULL);
    for (guint k = 0; k < PEN_N_KERNELS; k++)
        for (PenDtype dtype = PEN_DTYPE_F32; dtype <= PEN_DTYPE_F16; dtype++) {
            g_autofree char *name = pen_findings_name(k, dtype);
            if (info->wrong_kernels[dtype] & 1u << k)
                g_string_append_printf(names, "%s%s", names->len ? ", " : "", name);
        }
    return names->len ? g_strdup(names->str) : NULL;
}

static JsonObject *device_object(const PenDeviceInfo *info, const char *label, gboolean chosen,
                                 const char *why)
{
    JsonObject *object = pen_cli_object("device");
    json_object_set_int_member(object, "index", info->index);
    json_object_set_string_member(object, "name", label);
    json_object_set_string_member(object, "driver", info->driver);
    json_object_set_string_member(object, "kind", pen_device_kind_label(info->kind));
    json_object_set_boolean_member(object, "usable", !info->unusable);
    if (info->unusable)
        json_object_set_string_member(object, "unusable", gettext(info->unusable));
    json_object_set_boolean_member(object, "float16", info->float16);
    json_object_set_boolean_member(object, "cooperative_matrix", info->matrix.m != 0);
    if (info->matrix.m) {
        g_autofree char *shape = matrix_text(info);
        json_object_set_string_member(object, "matrix", shape);
    }
    json_object_set_string_member(object, "kernels", pen_kernels_name(info->kernels));
    g_autofree char *wrong = wrong_kernels(info);
    if (wrong)
        json_object_set_string_member(object, "wrong_kernels", wrong);
    json_object_set_int_member(object, "subgroup_size", info->subgroup_size);
    json_object_set_int_member(object, "subgroup_min", info->subgroup_min);
    json_object_set_int_member(object, "subgroup_max", info->subgroup_max);
    json_object_set_int_member(object, "shared_memory", info->shared_memory);
    json_object_set_int_member(object, "max_workgroup", info->max_workgroup);
    json_object_set_int_member(object, "max_binding", (gint64)info->max_binding);
    json_object_set_int_member(object, "max_allocation", (gint64)info->max_allocation);
    json_object_set_int_member(object, "memory_total", (gint64)info->memory_total);
    json_object_set_int_member(object, "memory_available", (gint64)info->memory_available);
    json_object_set_boolean_member(object, "unified_memory", info->unified_memory);
    json_object_set_boolean_member(object, "chosen", chosen);
    if (chosen)
        json_object_set_string_member(object, "why", why);
    return object;
}

static const char *yes_no(gboolean value)
{
    return value ? _("yes") : _("no");
}

static void print_device(PenCli *cli, const PenDeviceInfo *info, const char *label,
                         gboolean chosen)
{
    g_autofree char *total = g_format_size_full(info->memory_total, G_FORMAT_SIZE_IEC_UNITS);
    g_autofree char *free_now = g_format_size_full(info->memory_available, G_FORMAT_SIZE_IEC_UNITS);
    g_autofree char *shared = g_format_size_full(info->shared_memory, G_FORMAT_SIZE_IEC_UNITS);
    g_autofree char *binding = g_format_size_full(info->max_binding, G_FORMAT_SIZE_IEC_UNITS);
    g_autofree char *allocation = g_format_size_full(info->max_allocation, G_FORMAT_SIZE_IEC_UNITS);
    g_autofree char *matrix = matrix_text(info);

    pen_cli_print(cli, "%s%u  %s", chosen ? "* " : "  ", info->index, label);
    pen_cli_print(cli, "     %s, Vulkan %u.%u, %s", pen_device_kind_label(info->kind),
                  info->api_version >> 22 & 0x7f, info->api_version >> 12 & 0x3ff, info->driver);
    if (info->unusable)
        pen_cli_print(cli, _("     cannot be used: %s"), gettext(info->unusable));
    pen_cli_print(cli, _("     memory %s, %s of it free; one piece up to %s, one binding up to %s"),
                  total, free_now, allocation, binding);
    pen_cli_print(cli,
                  _("     float16 %s, cooperative matrices %s, subgroups of %u, workgroups of "
                    "%u with %s of shared memory"),
                  yes_no(info->float16), matrix, info->subgroup_size, info->max_workgroup, shared);
    g_autofree char *wrong = wrong_kernels(info);
    if (wrong)
        pen_cli_print(cli, _("     left out, since “penchant selftest” found them wrong: %s"), wrong);
}

void pen_cli_show_device(PenCli *cli, const PenDeviceInfo *info, const char *label, const char *why)
{
    print_device(cli, info, label, why != NULL);
    pen_cli_emit(cli, device_object(info, label, why != NULL, why));
}

static gboolean run(PenCli *cli, char **arguments G_GNUC_UNUSED, GError **error)
{
    g_autoptr(GPtrArray) devices = pen_device_list(error);
    if (!devices)
        return FALSE;
    g_autofree char *why = NULL;
    g_autoptr(GError) none = NULL;
    int chosen = pen_device_choose(devices, cli->device, &why, &none);
    for (guint i = 0; i < devices->len; i++) {
        const PenDeviceInfo *info = devices->pdata[i];
        g_autofree char *label = pen_device_label(devices, i);
        pen_cli_show_device(cli, info, label, (int)i == chosen ? why : NULL);
    }
    if (none) {
        g_propagate_error(error, g_steal_pointer(&none));
        return FALSE;
    }
    pen_cli_print(cli, "%s", why);
    return TRUE;
}

const PenCommand pen_command_devices = {
    .name = "devices",
    .summary = N_("List the Vulkan devices, what they can do, which one is chosen and why"),
    .run = run,
};
