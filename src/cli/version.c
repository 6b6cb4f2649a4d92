// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include <lcms2.h>
#include <png.h>
#include <sqlite3.h>
#include <stdio.h>

#include "compute/device.h"
#include "shaders/pen-shaders.h"
#include "src/cli/cli.h"

static void print_kernels(void)
{
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    for (gsize i = 0; i < pen_n_shaders; i++)
        g_checksum_update(sum, (const guchar *)pen_shaders[i].words, (gssize)pen_shaders[i].size);
    printf("kernels: %zu modules, %.12s\n", pen_n_shaders, g_checksum_get_string(sum));
}

static void print_device(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) devices = pen_device_list(&error);
    int chosen = devices ? pen_device_choose(devices, NULL, NULL, &error) : -1;
    if (chosen < 0) {
        printf("device: %s\n", error->message);
        return;
    }
    const PenDeviceInfo *info = devices->pdata[chosen];
    printf("device: %s, %s, Vulkan %u.%u, kernels %s%s%s\n", info->name, info->driver,
           info->api_version >> 22 & 0x7f, info->api_version >> 12 & 0x3ff,
           pen_kernels_name(info->kernels), info->float16 ? ", float16" : "",
           info->wrong_kernels[0] || info->wrong_kernels[1] ? ", some left out as wrong" : "");
}

void pen_cli_print_version(void)
{
    guint32 png = png_access_version_number();
    int lcms = cmsGetEncodedCMMversion();
    printf("penchant %s\n", PACKAGE_VERSION);
    printf("store format: %d\n", pen_store_format());
    printf(
        "libraries: GLib %u.%u.%u (built with %d.%d.%d), json-glib %s, SQLite %s, libpng %u.%u.%u, "
        "Little CMS %d.%d\n",
        glib_major_version, glib_minor_version, glib_micro_version, GLIB_MAJOR_VERSION,
        GLIB_MINOR_VERSION, GLIB_MICRO_VERSION, JSON_VERSION_S, sqlite3_libversion(), png / 10000,
        png / 100 % 100, png % 100, lcms / 1000, lcms / 10 % 100);
    print_kernels();
    fflush(stdout); /* a driver may end the program */
    print_device();
}
