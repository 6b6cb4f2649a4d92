// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/* A crew (src/cli/crew.h) of the processes of an MPI job. */

#include "src/cli/crew.h"

G_BEGIN_DECLS

/* After MPI_Init_thread(). A failure of MPI ends the job, with one line that says which process it was. */
PenCrew *pen_crew_mpi_new(void);
void pen_crew_mpi_free(PenCrew *crew);

/* The place of this process among those of its machine. */
guint pen_crew_mpi_local_rank(void);

G_END_DECLS
