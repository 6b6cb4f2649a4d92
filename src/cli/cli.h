// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/*
 * The command line, inside: what its commands share.
 *
 * A command is a PenCommand: its name, its options and the function that does the work. main.c
 * finds the command, parses the options and turns the GError of a failed command into one line on
 * stderr and the exit code:
 *
 *     0    done
 *     1    failed: device, memory, disk
 *     2    the request can never work: usage, a missing model, an unknown style
 *     130  stopped by Ctrl-C
 *
 * Results go to stdout, everything else to stderr. With --json, stdout has one JSON object a line
 * for results, progress, notices and errors; each has the member "type".
 */

#include <json-glib/json-glib.h>

#include "src/cli/progress.h"
#include "src/cli/crew.h"
#include "src/studio/studio.h"

G_BEGIN_DECLS

#define PEN_CLI_ERROR (pen_cli_error_quark())
typedef enum {
    PEN_CLI_ERROR_USAGE, /* exit code 2 */
} PenCliError;
GQuark pen_cli_error_quark(void);

/* The options that all commands have, and what lives as long as the program. */
typedef struct {
    char *data, *device, *precision;
    gboolean json, quiet;
    PenProgress *progress;
    gint64 last_progress; /* when a line of progress was last written with --json */
    PenStudio *studio;    /* NULL until pen_cli_studio() */
    PenCrew *crew;        /* with which the job is done (crew.h); NULL: alone */
    char *copy;           /* of the store, in processes of a crew that do not own it */
} PenCli;

typedef struct _PenCommand PenCommand;

struct _PenCommand {
    const char *name;
    const char *arguments;       /* "ROUND", for the usage line; may be NULL */
    const char *summary;         /* one line */
    const char *description;     /* below the options; may be NULL */
    const GOptionEntry *entries; /* may be NULL */
    const GOptionEntry *(*more_entries)(void); /* may be NULL: options shared with others */
    guint min_arguments, max_arguments;
    gboolean (*run)(PenCli *cli, char **arguments, GError **error);
    /* Rewrites the words before they are parsed (may be NULL); returns a new vector. */
    char **(*prepare)(char **words);
    gboolean shares; /* a crew can do it */
    const PenCommand *const *commands; /* of a command of commands, NULL at the end; else NULL */
};

extern const PenCommand pen_command_bench, pen_command_devices, pen_command_generate,
    pen_command_history, pen_command_models, pen_command_pick, pen_command_probe, pen_command_redo,
    pen_command_refine, pen_command_selftest,
    pen_command_store, pen_command_store_budget, pen_command_store_size, pen_command_style,
    pen_command_styles, pen_command_teach, pen_command_undo;

/* The one of that name in a list with NULL at its end; NULL: none. */
const PenCommand *pen_command_find(const PenCommand *const *list, const char *name);

/* `penchant --version` (version.c): the version and, for bug reports, what else there is to know about
 * this build and machine. In English. */
void pen_cli_print_version(void);

/* `penchant --complete WORD...` (complete.c), for src/cli/completion.bash: what the last word, which is not
 * finished, can become behind the others, one a line. Nothing where any file would do. */
void pen_cli_complete(const PenCommand *const *commands, const GOptionEntry *common, char **words);

/* --- the program (program.c) ------------------------------------------------------------------- */

/* Runs the command line; the exit code. */
int pen_cli_main(int argc, char **argv, PenCrew *crew);

/* --- output (output.c) ----------------------------------------------------------------------- */

/* Sets a PEN_CLI_ERROR_USAGE. Returns FALSE. */
gboolean pen_cli_usage_error(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* A line of the result on stdout; nothing with --json. */
void pen_cli_print(PenCli *cli, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* A line on stderr for the person, unless --quiet; with --json a "notice". */
void pen_cli_note(PenCli *cli, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* A line on stderr even with --quiet, for what may make pictures other than they should be; with --json
 * a "warning". */
void pen_cli_warn(PenCli *cli, const char *text);

/* A JSON object of a type, to be filled and emitted. Emitting writes it with --json, and frees it
 * in any case. */
JsonObject *pen_cli_object(const char *type);
void pen_cli_emit(PenCli *cli, JsonObject *object);
/* null where JSON has no such number. */
void pen_cli_set_number(JsonObject *object, const char *member, double value);
void pen_cli_add_number(JsonArray *array, double value);

/* A time of the store in the local time zone, "2026-01-31 17:05". Free with g_free(). */
char *pen_cli_time(gint64 time);

int pen_cli_exit_code(const GError *error);
/* The one line on stderr, and with --json the object. */
void pen_cli_report(PenCli *cli, const GError *error);

/* What a number's option holds before it is given; NaN, 0 and -1 can be given. */
#define PEN_CLI_UNSET (-G_MAXDOUBLE)
#define PEN_CLI_UNSET_COUNT G_MININT

/* An error where `file` cannot be written, as far as that can be told before the work is done. */
gboolean pen_cli_check_target(const char *file, GError **error);

/* Reads a whole number, 0 to G_MAXINT64 (what SQLite and JSON can hold); an error names `option`.
 */
gboolean pen_cli_parse_uint64(const char *text, const char *option, guint64 *value, GError **error);

/* --- work (work.c) --------------------------------------------------------------------------- */

/* What the options that choose a model say, as a spec (src/models/model-spec.h), for pen_studio
 * requests. Each may be NULL; `loras` are FILE or FILE:STRENGTH, NULL at the end. Free with g_free(). */
char *pen_cli_model(const char *model, const char *vae, const char *prediction, char **loras,
                    GError **error);

/* The studio, opened the first time. Owned by `cli`. */
PenStudio *pen_cli_studio(PenCli *cli, GError **error);

/* Of a crew: opens the studio in rank 0, and in the others one on a copy of its store, with what `style` (a
 * name; NULL: none) needs to draw. */
PenStudio *pen_cli_share_studio(PenCli *cli, const char *style, GError **error);

/* The living style of that name; an unknown one is an error that says which there are and how to
 * make one. */
PenStyle *pen_cli_find_style(PenCli *cli, const char *name, GError **error);

/* An error where no device can work, as pen_device_open() would say it. For commands that change
 * the store before their job opens the device. */
gboolean pen_cli_check_device(PenCli *cli, GError **error);

/* What the device is and can do; `why` it is the chosen one, or NULL. */
void pen_cli_show_device(PenCli *cli, const PenDeviceInfo *info, const char *label,
                         const char *why);

/* Opens the device that --device and PENCHANT_DEVICE ask for; for work outside the studio. */
PenDevice *pen_cli_open_device(PenCli *cli, GError **error);

/*
 * Runs one job of the studio: start it with `job.cancellable`, pen_cli_job_done and &job, then
 * pen_cli_job_wait(), which returns its result. Ctrl-C cancels it; a second one ends the program.
 */
typedef struct {
    PenCli *cli;
    GCancellable *cancellable;
    GMainLoop *loop;
    GAsyncResult *result;
} PenCliJob;

void pen_cli_job_init(PenCliJob *job, PenCli *cli);
void pen_cli_job_done(GObject *source, GAsyncResult *result, gpointer job);
GAsyncResult *pen_cli_job_wait(PenCliJob *job);
void pen_cli_job_clear(PenCliJob *job);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(PenCliJob, pen_cli_job_clear)

/* Shows the events that all jobs have in common: loading, device, notices, progress. `what` names
 * the work beside the progress bar. */
void pen_cli_show_event(PenCli *cli, const PenStudioEvent *event, const char *what);

G_END_DECLS
