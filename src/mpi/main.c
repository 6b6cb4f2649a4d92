// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * penchant-mpi: the command line for many GPUs.
 *
 *     mpirun -n 8 penchant-mpi generate --prompts FILE …
 *
 * One process a device: each takes the one of its place on its machine, out of those that --device
 * or PENCHANT_DEVICE list with commas between them, or else of all that are no software.
 */
#include <mpi.h>
#include <stdio.h>
#include <string.h>

#include "src/cli/cli.h"
#include "src/mpi/crew-mpi.h"

/* The device of the process with that place on its machine, out of a list; NULL: as it would be
 * alone. */
static char *choose_device(const char *list, guint place)
{
    g_auto(GStrv) names = list ? g_strsplit(list, ",", -1) : NULL;
    if (names && *names)
        return g_strdup(g_strstrip(names[place % g_strv_length(names)]));
    g_autoptr(GPtrArray) devices = pen_device_list(NULL);
    g_autoptr(GArray) gpus = g_array_new(FALSE, FALSE, sizeof(guint));
    for (guint i = 0; devices && i < devices->len; i++) {
        const PenDeviceInfo *info = devices->pdata[i];
        if (!info->unusable && info->kind != PEN_DEVICE_SOFTWARE)
            g_array_append_val(gpus, i);
    }
    return gpus->len ? g_strdup_printf("%u", g_array_index(gpus, guint, place % gpus->len)) : NULL;
}

/* What --device says, or the variable. */
static const char *find_device(char **argv)
{
    for (char **word = argv; *word; word++) {
        if (g_str_has_prefix(*word, "--device="))
            return *word + strlen("--device=");
        if (g_str_equal(*word, "--device") && word[1])
            return word[1];
    }
    return g_getenv("PENCHANT_DEVICE");
}

int main(int argc, char **argv)
{
    int level;
    if (MPI_Init_thread(&argc, &argv, MPI_THREAD_SERIALIZED, &level) != MPI_SUCCESS ||
        level < MPI_THREAD_SERIALIZED) {
        fprintf(stderr, "penchant-mpi: this MPI does not know threads; another one is needed.\n");
        return 1;
    }
    PenCrew *crew = pen_crew_mpi_new();
    g_autofree char *device = choose_device(find_device(argv), pen_crew_mpi_local_rank());
    crew->device = device;
    int status = pen_cli_main(argc, argv, crew);
    if (status != 0) {
        if (crew->rank > 0)
            g_usleep(2 * G_USEC_PER_SEC); /* rank 0 may have the same to say, and better */
        MPI_Abort(MPI_COMM_WORLD, status); /* the others wait for what will not come */
    }
    pen_crew_mpi_free(crew);
    MPI_Finalize();
    return 0;
}
