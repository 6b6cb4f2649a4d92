// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include <errno.h>
#include <glib/gi18n-lib.h>

#include "compute/findings.h"

#define GROUP "findings"
#define WRONG "wrong"
#define TILES "tiles" /* a group: by kernels and precision, of convolutions and of linear layers   \
                       */

char *pen_findings_name(PenKernels kernels, PenDtype dtype)
{
    return g_strconcat(pen_kernels_name(kernels), dtype == PEN_DTYPE_F16 ? ".f16" : ".f32", NULL);
}

static void read_tiles(GKeyFile *file, PenDeviceInfo *info)
{
    for (guint k = 0; k < PEN_N_KERNELS; k++)
        for (PenDtype dtype = PEN_DTYPE_F32; dtype <= PEN_DTYPE_F16; dtype++) {
            g_autofree char *name = pen_findings_name(k, dtype);
            gsize n = 0;
            g_autofree int *from = g_key_file_get_integer_list(file, TILES, name, &n, NULL);
            for (gsize i = 0; i < n && i < G_N_ELEMENTS(info->large_tiles_from[k][dtype]); i++)
                info->large_tiles_from[k][dtype][i] = (guint32)MAX(from[i], 0);
        }
}

static void write_tiles(const PenDeviceInfo *info, GKeyFile *file)
{
    for (guint k = 0; k < PEN_N_KERNELS; k++)
        for (PenDtype dtype = PEN_DTYPE_F32; dtype <= PEN_DTYPE_F16; dtype++) {
            const guint32 *from = info->large_tiles_from[k][dtype];
            g_autofree char *name = pen_findings_name(k, dtype);
            int list[] = { (int)from[0], (int)from[1] };
            if (from[0] || from[1])
                g_key_file_set_integer_list(file, TILES, name, list, G_N_ELEMENTS(list));
        }
}

void pen_findings_read(PenDeviceInfo *info)
{
    g_autoptr(GKeyFile) file = g_key_file_new();
    if (!g_key_file_load_from_file(file, info->findings, G_KEY_FILE_NONE, NULL))
        return;
    g_auto(GStrv) wrong = g_key_file_get_string_list(file, GROUP, WRONG, NULL, NULL);
    for (guint k = 0; wrong && k < PEN_N_KERNELS; k++)
        for (PenDtype dtype = PEN_DTYPE_F32; dtype <= PEN_DTYPE_F16; dtype++) {
            g_autofree char *name = pen_findings_name(k, dtype);
            if (g_strv_contains((const char *const *)wrong, name))
                info->wrong_kernels[dtype] |= 1u << k;
        }
    read_tiles(file, info);
}

gboolean pen_findings_write(const PenDeviceInfo *info, GKeyFile *report, GError **error)
{
    g_autoptr(GKeyFile) file = report ? g_key_file_ref(report) : g_key_file_new();
    g_autoptr(GPtrArray) wrong = g_ptr_array_new_with_free_func(g_free);
    for (guint k = 0; k < PEN_N_KERNELS; k++)
        for (PenDtype dtype = PEN_DTYPE_F32; dtype <= PEN_DTYPE_F16; dtype++)
            if (info->wrong_kernels[dtype] & 1u << k)
                g_ptr_array_add(wrong, pen_findings_name(k, dtype));
    g_key_file_set_string_list(file, GROUP, WRONG, (const char *const *)wrong->pdata, wrong->len);
    write_tiles(info, file);
    g_autofree char *folder = g_path_get_dirname(info->findings);
    if (g_mkdir_with_parents(folder, 0700) != 0) {
        g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno),
                    _("%s cannot be made: %s. Findings are kept there; set XDG_CACHE_HOME to a "
                      "folder that can be written."),
                    folder, g_strerror(errno));
        return FALSE;
    }
    return g_key_file_save_to_file(file, info->findings, error);
}
