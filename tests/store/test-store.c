// SPDX-License-Identifier: GPL-3.0-or-later
#define _GNU_SOURCE /* unshare() */
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "src/store/private.h"
#include "tests/store/fixture.h"

/* These open the store themselves. */
static void set_up(Fixture *fixture, gconstpointer data)
{
    fixture->folder = fixture_folder();
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    fixture_remove(fixture->folder);
    g_free(fixture->folder);
}

static char *database_path(const char *folder)
{
    return g_build_filename(folder, PEN_STORE_FILE, NULL);
}

static GBytes *read_database(const char *folder)
{
    g_autofree char *path = database_path(folder);
    char *content;
    gsize size;
    g_assert_true(g_file_get_contents(path, &content, &size, NULL));
    return g_bytes_new_take(content, size);
}

static void write_database(const char *folder, const void *data, gsize size)
{
    g_autofree char *path = database_path(folder);
    g_assert_true(g_file_set_contents(path, data, (gssize)size, NULL));
}

static gint64 read_int(PenStore *store, const char *text)
{
    g_autoptr(GError) error = NULL;
    gint64 value;
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    pen_sql_lock(&scope, store->sql);
    pen_sql_int(store->sql, &value, &error, text);
    g_assert_no_error(error);
    return value;
}

static void run_script(PenStore *store, const char *text)
{
    g_autoptr(GError) error = NULL;
    g_auto(PenSqlScope) scope = PEN_SQL_SCOPE_INIT;
    pen_sql_lock(&scope, store->sql);
    pen_sql_script(store->sql, text, &error);
    g_assert_no_error(error);
}

static void assert_refused(const char *folder, PenStoreError code, const char *hint)
{
    g_autoptr(GError) error = NULL;
    g_assert_null(pen_store_open(folder, &error));
    g_assert_error(error, PEN_STORE_ERROR, (int)code);
    if (!strstr(error->message, hint))
        g_error("No “%s” in: %s", hint, error->message);
}

static void test_open(Fixture *fixture, gconstpointer data)
{
    g_autofree char *deep = g_build_filename(fixture->folder, "a", "b c", "ü", NULL);
    g_autoptr(PenStore) store = fixture_open(deep);
    g_assert_cmpstr(pen_store_get_folder(store), ==, deep);
    g_assert_cmpint(read_int(store, "PRAGMA synchronous"), ==, 2);
    g_assert_cmpint(read_int(store, "PRAGMA foreign_keys"), ==, 1);
    g_assert_cmpint(read_int(store, "PRAGMA application_id"), ==, PEN_STORE_APPLICATION_ID);
    g_assert_cmpint(read_int(store, "PRAGMA user_version"), ==,
                    g_strv_length((char **)pen_store_migrations));
    g_assert_cmpint(read_int(store, "SELECT journal_mode = 'wal' FROM pragma_journal_mode"), ==, 1);

    /* The same store a second time, from the same process. */
    g_autoptr(PenStore) again = fixture_open(deep);
    gint64 style = fixture_style(again, "Ink");
    g_autoptr(PenStyle) row = pen_store_get_style(store, style, NULL);
    g_assert_cmpstr(row->name, ==, "Ink");
}

static void test_default_folder(Fixture *fixture, gconstpointer data)
{
    g_autofree char *plain = NULL, *expected = NULL, *chosen = NULL;

    g_unsetenv("PENCHANT_DATA");
    plain = pen_store_default_folder();
    expected = g_build_filename(g_get_user_data_dir(), "penchant", NULL);
    g_assert_cmpstr(plain, ==, expected);
    g_setenv("PENCHANT_DATA", fixture->folder, TRUE);
    chosen = pen_store_default_folder();
    g_assert_cmpstr(chosen, ==, fixture->folder);
    g_autoptr(PenStore) store = fixture_open(NULL);
    g_assert_cmpstr(pen_store_get_folder(store), ==, fixture->folder);
    g_unsetenv("PENCHANT_DATA");
}

static const char migration_a[] = "CREATE TABLE log (id INTEGER PRIMARY KEY, what TEXT);"
                                  "INSERT INTO log (what) VALUES ('a');"
                                  "CREATE TABLE old (x INTEGER); INSERT INTO old VALUES (7);";
/* Rebuilds a table, which needs foreign keys to be off, and refers to what is already there. */
static const char migration_b[] = "INSERT INTO log (what) VALUES ('b');"
                                  "CREATE TABLE new (x INTEGER, y INTEGER DEFAULT 1);"
                                  "INSERT INTO new (x) SELECT x FROM old; DROP TABLE old;";
static const char migration_c[] = "INSERT INTO log (what) VALUES ('c'); UPDATE new SET y = x * 2;";
static const char migration_broken[] = "INSERT INTO log (what) VALUES ('d'); SELECT nonsense;";
static const char migration_dangling[] =
    "CREATE TABLE parent (id INTEGER PRIMARY KEY);"
    "CREATE TABLE child (parent INTEGER REFERENCES parent (id)); INSERT INTO child VALUES (5);";

static void test_migrate(Fixture *fixture, gconstpointer data)
{
    static const char *const one[] = { migration_a, NULL };
    static const char *const three[] = { migration_a, migration_b, migration_c, NULL };
    g_autoptr(GError) error = NULL;

    PenStore *store = pen_store_open_with_migrations(fixture->folder, one, &error);
    g_assert_no_error(error);
    g_assert_cmpint(read_int(store, "PRAGMA user_version"), ==, 1);
    pen_store_close(store);

    store = pen_store_open_with_migrations(fixture->folder, three, &error);
    g_assert_no_error(error);
    g_assert_cmpint(read_int(store, "PRAGMA user_version"), ==, 3);
    g_assert_cmpint(read_int(store, "SELECT group_concat(what, '') = 'abc' FROM log"), ==, 1);
    g_assert_cmpint(read_int(store, "SELECT y FROM new"), ==, 14);
    pen_store_close(store);

    /* The older program must leave the newer store alone. */
    g_autoptr(GBytes) before = read_database(fixture->folder);
    g_assert_null(pen_store_open_with_migrations(fixture->folder, one, &error));
    g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_TOO_NEW);
    g_autoptr(GBytes) after = read_database(fixture->folder);
    g_assert_true(g_bytes_equal(before, after));
}

/* A run of version 1 made one update of all timesteps, as the published script does. */
static void test_migrate_runs(Fixture *fixture, gconstpointer data)
{
    const char *const first[] = { pen_store_migrations[0], NULL };
    PenStore *store = pen_store_open_with_migrations(fixture->folder, first, NULL);
    run_script(store, "INSERT INTO styles VALUES (1, 'u', 'Ink', 'ink', 1, 'h', 'm', 4, 1, NULL, NULL);"
                      "INSERT INTO runs VALUES (1, 1, NULL, NULL, 1, NULL, 1e-3, 0, 1, 0.1, 0.1, 2, 0.5,"
                      " 4, 7, 'paused', NULL, 3, 8, NULL, NULL);");
    pen_store_close(store);
    g_autoptr(PenStore) now = fixture_open(fixture->folder);
    g_autoptr(PenRun) run = pen_store_get_run(now, 1, NULL);
    g_assert_cmpint(run->d3po.timesteps_per_update, ==, 0);
    g_assert_false(run->d3po.hindsight);
    g_assert_true(run->d3po.guided);
    g_assert_cmpfloat(run->d3po.loser_weight, ==, 1);
    g_assert_cmpint(run->steps_done, ==, 3);
    g_assert_cmpint(run->state, ==, PEN_RUN_PAUSED);
}

static void test_failed_migration(Fixture *fixture, gconstpointer data)
{
    static const char *const one[] = { migration_a, NULL };
    static const char *const bad[2][4] = {
        { migration_a, migration_b, migration_broken, NULL },
        { migration_a, migration_b, migration_dangling, NULL },
    };
    PenStore *store = pen_store_open_with_migrations(fixture->folder, one, NULL);
    pen_store_close(store);
    for (int i = 0; i < 2; i++) {
        g_autoptr(GError) error = NULL;
        g_assert_null(pen_store_open_with_migrations(fixture->folder, bad[i], &error));
        g_assert_nonnull(error);
        g_clear_error(&error);
        store = pen_store_open_with_migrations(fixture->folder, one, &error);
        g_assert_no_error(error);
        g_assert_cmpint(read_int(store, "PRAGMA user_version"), ==, 1);
        g_assert_cmpint(read_int(store, "SELECT group_concat(what, '') = 'a' FROM log"), ==, 1);
        g_assert_cmpint(read_int(store, "SELECT x FROM old"), ==, 7);
        pen_store_close(store);
    }
}

static void test_too_new(Fixture *fixture, gconstpointer data)
{
    PenStore *store = fixture_open(fixture->folder);
    run_script(store, "PRAGMA user_version = 99");
    pen_store_close(store);
    assert_refused(fixture->folder, PEN_STORE_ERROR_TOO_NEW, "newer Penchant");
}

static void test_foreign_database(Fixture *fixture, gconstpointer data)
{
    g_autofree char *path = database_path(fixture->folder);
    sqlite3 *db;
    g_assert_cmpint(sqlite3_open(path, &db), ==, SQLITE_OK);
    sqlite3_exec(db, "CREATE TABLE bookmarks (url TEXT)", NULL, NULL, NULL);
    sqlite3_close(db);

    g_autoptr(GBytes) before = read_database(fixture->folder);
    assert_refused(fixture->folder, PEN_STORE_ERROR_INVALID, "another program");
    g_autoptr(GBytes) after = read_database(fixture->folder);
    g_assert_true(g_bytes_equal(before, after));
}

static void test_not_a_database(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *moved_to = NULL;
    static const char text[] = "This was once a diary, and it is long enough for a header. "
                               "This was once a diary, and it is long enough for a header.";
    write_database(fixture->folder, text, sizeof text);
    assert_refused(fixture->folder, PEN_STORE_ERROR_CORRUPT, "backup");
    g_autoptr(GBytes) kept = read_database(fixture->folder);
    g_assert_cmpuint(g_bytes_get_size(kept), ==, sizeof text);

    g_assert_true(pen_store_move_aside(fixture->folder, &moved_to, &error));
    g_assert_no_error(error);
    g_autoptr(GBytes) moved = read_database(moved_to);
    g_assert_true(g_bytes_equal(kept, moved));
    g_autoptr(PenStore) fresh = fixture_open(fixture->folder);
    fixture_style(fresh, "Ink");
}

/* A folder where the database should be; a file where the folder should be. */
static void test_in_the_way(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = database_path(fixture->folder);
    g_autofree char *file = g_build_filename(fixture->folder, "file", NULL);
    g_assert_cmpint(g_mkdir(path, 0700), ==, 0);
    g_assert_null(pen_store_open(fixture->folder, &error));
    g_assert_nonnull(error);
    g_clear_error(&error);
    g_assert_true(g_file_set_contents(file, "x", 1, NULL));
    g_assert_null(pen_store_open(file, &error));
    g_assert_nonnull(error);
}

/* A store with some of everything. */
static void fill(PenStore *store)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) adapter = fixture_content(1);
    gint64 style = fixture_style(store, "Ink");
    for (int i = 0; i < 12; i++) {
        gint64 round = fixture_complete_round(store, style, 4, &error);
        g_assert_no_error(error);
        g_assert_cmpint(fixture_pick(store, round, i % 4, 4, &error), >, 0);
        if (i % 5 == 4) {
            gint64 run = fixture_begin_run(store, style, &error);
            for (int j = 1; j < 30; j++) {
                PenTrainingStep step = { j, 0.6, 0.1, 0.5, 1, 1 };
                g_assert_true(pen_store_add_training_step(store, run, &step, &error));
            }
            gint64 version = pen_store_finish_run(store, run, adapter, &error);
            PenComparison comparison = { .style_version = version, .prompt = (char *)"cat" };
            g_assert_cmpint(pen_store_add_comparison(store, &comparison, &error), >, 0);
        }
    }
    gint64 other = fixture_style(store, "Oil");
    g_assert_true(pen_store_rename_style(store, other, "Öl", &error));
    g_assert_true(pen_store_delete_style(store, other, &error));
    g_assert_no_error(error);
}

/* Calls everything; errors are allowed, crashes and endless loops are not. */
static void use_everything(PenStore *store)
{
    g_autoptr(GPtrArray) styles = pen_store_list_styles(store, FALSE, NULL);
    g_autoptr(GPtrArray) deleted = pen_store_list_styles(store, TRUE, NULL);
    g_autoptr(GPtrArray) rounds = pen_store_list_rounds(store, 0, 100, NULL);
    g_autoptr(GPtrArray) actions = pen_store_list_actions(store, 100, NULL);
    g_auto(GStrv) prompts = pen_store_list_prompts(store, 10, NULL);
    for (guint i = 0; styles && i < styles->len; i++) {
        const PenStyle *style = styles->pdata[i];
        g_autoptr(GPtrArray) versions = pen_store_list_style_versions(store, style->id, NULL);
        g_autoptr(GPtrArray) picks = pen_store_list_picks(store, style->id, TRUE, NULL);
        g_autoptr(GPtrArray) runs = pen_store_list_runs(store, style->id, NULL);
        g_autoptr(PenStyle) found = pen_store_find_style(store, style->name, NULL);
        for (guint j = 0; runs && j < runs->len; j++) {
            const PenRun *run = runs->pdata[j];
            g_autoptr(GPtrArray) steps = pen_store_list_training_steps(store, run->id, NULL);
            g_autoptr(GPtrArray) learnt = pen_store_list_run_picks(store, run->id, NULL);
        }
        g_autoptr(GBytes) adapter = fixture_content(2);
        pen_store_add_style_version(store, style->id, adapter, NULL);
        pen_store_duplicate_style(store, style->id, NULL, NULL);
        gint64 run = fixture_begin_run(store, style->id, NULL);
        if (run)
            pen_store_finish_run(store, run, adapter, NULL);
        pen_store_delete_style(store, style->id, NULL);
    }
    for (guint i = 0; deleted && i < deleted->len; i++)
        pen_store_restore_style(store, ((PenStyle *)deleted->pdata[i])->id, NULL);
    for (guint i = 0; rounds && i < rounds->len; i++) {
        const PenRound *round = rounds->pdata[i];
        g_autoptr(GPtrArray) candidates = pen_store_list_candidates(store, round->id, NULL);
        g_autoptr(PenPick) pick = pen_store_get_pick(store, round->id, NULL);
        fixture_pick(store, round->id, 0, 4, NULL);
    }
    for (int i = 0; i < 30; i++) {
        g_autoptr(PenAction) action = pen_store_undo(store, NULL);
    }
    g_autoptr(PenAction) redone = pen_store_redo(store, NULL);
    fixture_complete_round(store, 0, 2, NULL);
    pen_store_collect_garbage(store, 0, NULL, NULL);
    pen_store_check(store, NULL);
}

/* Damages a copy of the store and uses it. */
static void test_damaged(Fixture *fixture, gconstpointer data)
{
    enum { N_TRIALS = 100 };
    PenStore *store = fixture_open(fixture->folder);
    fill(store);
    pen_store_close(store);
    g_autoptr(GBytes) sound = read_database(fixture->folder);
    gsize size;
    const guint8 *bytes = g_bytes_get_data(sound, &size);
    g_autoptr(GRand) rand = g_rand_new_with_seed(11);
    int refused = 0, found = 0;

    for (int trial = 0; trial < N_TRIALS; trial++) {
        g_autofree char *folder = fixture_folder();
        g_autofree guint8 *damaged = g_memdup2(bytes, size);
        g_autoptr(GError) error = NULL;
        gsize length = size;
        gsize start = (gsize)g_rand_double_range(rand, 0, (double)size);
        switch (trial % 4) {
        case 0: /* a few bytes */
            for (int i = 0; i < 5; i++)
                damaged[g_rand_int_range(rand, 0, (int)size)] = (guint8)g_rand_int(rand);
            break;
        case 1: /* a stretch of noise */
            for (gsize i = start; i < MIN(start + 3000, size); i++)
                damaged[i] = (guint8)g_rand_int(rand);
            break;
        case 2: /* a lost sector */
            memset(damaged + start / 512 * 512, 0, MIN(512, size - start / 512 * 512));
            break;
        default: /* cut off */
            length = start;
        }
        write_database(folder, damaged, length);
        store = pen_store_open(folder, &error);
        if (store) {
            found += !pen_store_check(store, NULL);
            use_everything(store);
            pen_store_close(store);
        } else {
            g_assert_true(error->domain == PEN_STORE_ERROR);
            refused++;
        }
        fixture_remove(folder);
    }
    g_test_message("%d of %d damaged stores were refused, %d found damaged by the check", refused,
                   N_TRIALS, found);
    g_assert_cmpint(refused + found, >, N_TRIALS / 2);
}

/* A damaged page gives CORRUPT, and says what to do. */
static void test_corrupt(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    PenStore *store = fixture_open(fixture->folder);
    fill(store);
    gint64 root = read_int(store, "SELECT rootpage FROM sqlite_schema WHERE name = 'rounds'");
    gint64 page = read_int(store, "PRAGMA page_size");
    pen_store_close(store);
    g_autoptr(GBytes) sound = read_database(fixture->folder);
    gsize size;
    g_autofree guint8 *damaged =
        g_memdup2(g_bytes_get_data(sound, NULL), size = g_bytes_get_size(sound));
    memset(damaged + (root - 1) * page, 0xff, (gsize)page);
    write_database(fixture->folder, damaged, size);

    store = fixture_open(fixture->folder);
    g_assert_null(pen_store_list_rounds(store, 0, 10, &error));
    g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_CORRUPT);
    g_assert_nonnull(strstr(error->message, "backup"));
    g_clear_error(&error);
    g_assert_false(pen_store_check(store, &error));
    g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_CORRUPT);
    pen_store_close(store);
    g_autoptr(GBytes) kept = read_database(fixture->folder);
    g_assert_cmpmem(g_bytes_get_data(kept, NULL), g_bytes_get_size(kept), damaged, size);
}

/* Rights do not bind root: become somebody else for the time. */
static gboolean drop_rights(void)
{
    gboolean done = geteuid() != 0 || seteuid(65534) == 0;
    prctl(PR_SET_DUMPABLE, 1); /* or the leak checker could not look at us */
    return done;
}

static void regain_rights(void)
{
    if (getuid() == 0)
        g_assert_cmpint(seteuid(0), ==, 0);
    prctl(PR_SET_DUMPABLE, 1);
}

static void test_read_only(Fixture *fixture, gconstpointer data)
{
    g_autofree char *path = database_path(fixture->folder);
    g_autofree char *below = g_build_filename(fixture->folder, "new", "store", NULL);

    g_assert_cmpint(g_chmod(fixture->folder, 0555), ==, 0);
    if (!drop_rights()) {
        g_test_skip("cannot give up root's rights here");
        return;
    }
    assert_refused(fixture->folder, PEN_STORE_ERROR_READ_ONLY, "PENCHANT_DATA");
    assert_refused(below, PEN_STORE_ERROR_READ_ONLY, "PENCHANT_DATA");
    regain_rights();
    g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));

    g_assert_cmpint(g_chmod(fixture->folder, 0755), ==, 0);
    PenStore *store = fixture_open(fixture->folder);
    fixture_style(store, "Ink");
    pen_store_close(store);
    g_autoptr(GBytes) before = read_database(fixture->folder);

    /* The file may be written, but not the folder, and the other way round. */
    g_assert_cmpint(g_chmod(path, 0666), ==, 0);
    g_assert_cmpint(g_chmod(fixture->folder, 0555), ==, 0);
    g_assert_true(drop_rights());
    assert_refused(fixture->folder, PEN_STORE_ERROR_READ_ONLY, "PENCHANT_DATA");
    regain_rights();
    g_assert_cmpint(g_chmod(path, 0444), ==, 0);
    g_assert_cmpint(g_chmod(fixture->folder, 0777), ==, 0);
    g_assert_true(drop_rights());
    assert_refused(fixture->folder, PEN_STORE_ERROR_READ_ONLY, "PENCHANT_DATA");
    regain_rights();
    g_autoptr(GBytes) after = read_database(fixture->folder);
    g_assert_true(g_bytes_equal(before, after));

    /* The folder turns read-only while the store is open. */
    g_assert_cmpint(g_chmod(path, 0600), ==, 0);
    store = fixture_open(fixture->folder);
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) picture = fixture_content(1);
    const guint64 seed = 1;
    PenRound round = fixture_round(1, "cat");
    gint64 id = pen_store_begin_round(store, &round, &seed, 1, &error);
    g_assert_cmpint(g_chmod(fixture->folder, 0555), ==, 0);
    g_assert_true(drop_rights());
    g_assert_false(pen_store_finish_candidate(store, id, 0, picture, picture, &error));
    regain_rights();
    g_assert_cmpint(g_chmod(fixture->folder, 0755), ==, 0);
    g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_READ_ONLY);
    g_clear_error(&error);
    g_assert_true(pen_store_finish_candidate(store, id, 0, picture, picture, &error));
    g_assert_no_error(error);
    pen_store_close(store);
}

/*
 * Picks until the disk is full, lets go of what fills it, and goes on. Nothing that was
 * acknowledged may be missing, and what was refused must not be there.
 */
static void fill_disk(const char *folder, void (*make_room)(gpointer data), gpointer data)
{
    enum { MAX_ROUNDS = 20000 };
    g_autoptr(GError) error = NULL;
    g_autoptr(GArray) picked = g_array_new(FALSE, FALSE, sizeof(gint64));
    PenStore *store = fixture_open(folder);
    gint64 style = fixture_style(store, "Ink");

    while (!error && picked->len < MAX_ROUNDS) {
        gint64 round = fixture_complete_round(store, style, 2, &error);
        if (round && fixture_pick(store, round, 1, 2, &error))
            g_array_append_val(picked, round);
    }
    g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_FULL);
    g_assert_nonnull(strstr(error->message, "Make room"));
    g_clear_error(&error);
    /* Still full; still usable for reading. */
    for (int i = 0; i < 3; i++) {
        g_autoptr(GPtrArray) picks = pen_store_list_picks(store, style, FALSE, &error);
        g_assert_no_error(error);
        g_assert_cmpuint(picks->len, ==, picked->len);
        g_autoptr(GError) again = NULL;
        if (fixture_pick(store, g_array_index(picked, gint64, 0), 1, 2, &again) == 0)
            g_assert_error(again, PEN_STORE_ERROR, PEN_STORE_ERROR_FULL);
    }

    make_room(data);
    gint64 round = fixture_complete_round(store, style, 2, &error);
    g_assert_no_error(error);
    fixture_pick(store, round, 1, 2, &error);
    g_assert_no_error(error);
    g_array_append_val(picked, round);
    pen_store_close(store);

    store = fixture_open(folder);
    pen_store_check(store, &error);
    g_assert_no_error(error);
    g_autoptr(GPtrArray) picks = pen_store_list_picks(store, style, FALSE, &error);
    g_assert_cmpuint(picks->len, ==, picked->len);
    for (guint i = 0; i < picked->len; i++)
        fixture_assert_pick(store, g_array_index(picked, gint64, i), "1>0");
    g_test_message("%u picks before the disk was full", picked->len - 1);
    pen_store_close(store);
}

static void raise_limit(gpointer data)
{
    g_assert_cmpint(setrlimit(RLIMIT_FSIZE, data), ==, 0);
}

static void test_file_limit(Fixture *fixture, gconstpointer data)
{
    struct rlimit old, small;
    g_assert_cmpint(getrlimit(RLIMIT_FSIZE, &old), ==, 0);
    small = old;
    small.rlim_cur = 1000 * 1024;
    signal(SIGXFSZ, SIG_IGN);
    g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &small), ==, 0);
    fill_disk(fixture->folder, raise_limit, &old);
    raise_limit(&old);
}

static void delete_ballast(gpointer data)
{
    g_assert_cmpint(g_unlink(data), ==, 0);
}

static gboolean write_proc(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    gboolean ok = fd >= 0 && write(fd, text, strlen(text)) == (gssize)strlen(text);
    if (fd >= 0)
        close(fd);
    return ok;
}

/* Becomes free to mount, without others seeing it. */
static gboolean enter_mount_namespace(void)
{
    g_autofree char *uid_map = g_strdup_printf("0 %u 1", geteuid());
    g_autofree char *gid_map = g_strdup_printf("0 %u 1", getegid());
    if (geteuid() == 0)
        return unshare(CLONE_NEWNS) == 0;
    return unshare(CLONE_NEWNS | CLONE_NEWUSER) == 0 &&
           write_proc("/proc/self/setgroups", "deny") &&
           write_proc("/proc/self/uid_map", uid_map) && write_proc("/proc/self/gid_map", gid_map);
}

/* In a process of its own, since it leaves for a mount namespace. */
static void full_disk_subprocess(void)
{
    g_autofree char *folder = fixture_folder();
    g_autofree char *ballast = g_build_filename(folder, "ballast", NULL);
    g_autofree char *content = g_malloc0(400 * 1024);

    if (!enter_mount_namespace() || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", folder, "tmpfs", 0, "size=2m") != 0) {
        g_print("no tmpfs: %s\n", g_strerror(errno));
        g_rmdir(folder);
        return;
    }
    g_assert_true(g_file_set_contents(ballast, content, 400 * 1024, NULL));
    fill_disk(folder, delete_ballast, ballast);
    g_assert_cmpint(umount(folder), ==, 0);
    g_rmdir(folder);
}

static void test_full_disk(void)
{
    if (g_test_subprocess()) {
        full_disk_subprocess();
        return;
    }
    g_test_trap_subprocess(NULL, 0, G_TEST_SUBPROCESS_INHERIT_STDERR);
    g_test_trap_assert_passed();
}

#define ADD(name, func) g_test_add("/store/" name, Fixture, NULL, set_up, func, tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("open", test_open);
    ADD("default-folder", test_default_folder);
    ADD("migrate", test_migrate);
    ADD("migrate-runs", test_migrate_runs);
    ADD("failed-migration", test_failed_migration);
    ADD("too-new", test_too_new);
    ADD("foreign-database", test_foreign_database);
    ADD("not-a-database", test_not_a_database);
    ADD("in-the-way", test_in_the_way);
    ADD("corrupt", test_corrupt);
    ADD("damaged", test_damaged);
    ADD("read-only", test_read_only);
    ADD("file-limit", test_file_limit);
    g_test_add_func("/store/full-disk", test_full_disk);
    return g_test_run();
}
