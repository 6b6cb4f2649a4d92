// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/mpi/crew-mpi.h"

#include <mpi.h>
#include <stdio.h>

/* MPI counts bytes in an int; larger messages go in parts. */
#define PART ((gsize)1 << 30)
#define TAG_SIZE 1
#define TAG_PART 2

static void check(int status)
{
    char reason[MPI_MAX_ERROR_STRING], host[MPI_MAX_PROCESSOR_NAME];
    int length, rank = 0;
    if (status == MPI_SUCCESS)
        return;
    MPI_Error_string(status, reason, &length);
    MPI_Get_processor_name(host, &length);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    fprintf(stderr, "penchant-mpi: process %d on %s: %s\n", rank, host, reason);
    MPI_Abort(MPI_COMM_WORLD, 1);
}

static void broadcast(PenCrew *crew, gpointer data, gsize size)
{
    for (gsize at = 0; at < size; at += PART)
        check(MPI_Bcast((char *)data + at, (int)MIN(size - at, PART), MPI_BYTE, 0, MPI_COMM_WORLD));
}

static void send_bytes(PenCrew *crew, guint to, gconstpointer data, gsize size)
{
    guint64 announced = size;
    check(MPI_Send(&announced, 1, MPI_UINT64_T, (int)to, TAG_SIZE, MPI_COMM_WORLD));
    for (gsize at = 0; at < size; at += PART)
        check(MPI_Send((const char *)data + at, (int)MIN(size - at, PART), MPI_BYTE, (int)to,
                       TAG_PART, MPI_COMM_WORLD));
}

static GBytes *receive(PenCrew *crew, guint from)
{
    guint64 size = 0;
    check(MPI_Recv(&size, 1, MPI_UINT64_T, (int)from, TAG_SIZE, MPI_COMM_WORLD, MPI_STATUS_IGNORE));
    char *data = g_malloc(MAX(size, 1));
    for (gsize at = 0; at < size; at += PART)
        check(MPI_Recv(data + at, (int)MIN(size - at, PART), MPI_BYTE, (int)from, TAG_PART,
                       MPI_COMM_WORLD, MPI_STATUS_IGNORE));
    return g_bytes_new_take(data, size);
}

static gboolean waits(PenCrew *crew, guint *from)
{
    int there = 0;
    MPI_Status status;
    check(MPI_Iprobe(MPI_ANY_SOURCE, TAG_SIZE, MPI_COMM_WORLD, &there, &status));
    if (there)
        *from = (guint)status.MPI_SOURCE;
    return there;
}

PenCrew *pen_crew_mpi_new(void)
{
    int rank, size;
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    check(MPI_Comm_rank(MPI_COMM_WORLD, &rank));
    check(MPI_Comm_size(MPI_COMM_WORLD, &size));
    PenCrew *crew = g_new(PenCrew, 1);
    *crew = (PenCrew){
        .rank = (guint)rank,
        .size = (guint)size,
        .broadcast = broadcast,
        .send = send_bytes,
        .receive = receive,
        .waits = waits,
    };
    return crew;
}

void pen_crew_mpi_free(PenCrew *crew)
{
    g_free(crew);
}

guint pen_crew_mpi_local_rank(void)
{
    MPI_Comm here;
    int rank = 0;
    check(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &here));
    check(MPI_Comm_rank(here, &rank));
    MPI_Comm_free(&here);
    return (guint)rank;
}
