// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/store/fixture.h"

static void assert_exists(Fixture *fixture, const char *relative, gboolean exists)
{
    g_autofree char *path = pen_store_path(fixture->store, relative);
    g_assert_true(g_file_test(path, G_FILE_TEST_EXISTS) == exists);
}

static void test_write(Fixture *fixture, gconstpointer data)
{
    static const char *const outside[] = { "", "/etc/x", "../x", "a/../../x", "a//b", "./a", "a/" };
    g_autoptr(GBytes) old = fixture_content(1);
    g_autoptr(GBytes) new = fixture_content(2);
    g_autoptr(GBytes) empty = g_bytes_new_static("", 0);
    g_autoptr(GError) error = NULL;
    PenStore *store = fixture->store;

    for (gsize i = 0; i < G_N_ELEMENTS(outside); i++) {
        g_assert_false(pen_store_write(store, outside[i], old, &error));
        g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_INVALID);
        g_clear_error(&error);
        g_assert_null(pen_store_read(store, outside[i], &error));
        g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_INVALID);
        g_clear_error(&error);
    }
    g_assert_true(pen_store_write(store, "a/b/c.png", old, &error));
    g_autoptr(GBytes) before = pen_store_read(store, "a/b/c.png", &error);
    g_assert_true(pen_store_write(store, "a/b/c.png", new, &error));
    g_autoptr(GBytes) after = pen_store_read(store, "a/b/c.png", &error);
    g_assert_true(g_bytes_equal(before, old)); /* the mapping keeps what it has */
    g_assert_true(g_bytes_equal(after, new));
    g_assert_true(pen_store_write(store, "a/empty", empty, &error));
    g_autoptr(GBytes) nothing = pen_store_read(store, "a/empty", &error);
    g_assert_cmpuint(g_bytes_get_size(nothing), ==, 0);
    g_assert_null(pen_store_read(store, "a/missing", &error));
    g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_NOT_FOUND);
    g_clear_error(&error);
    /* A folder in the way. */
    g_assert_false(pen_store_write(store, "a/b", old, &error));
    g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_FAILED);
    g_clear_error(&error);
    g_assert_false(pen_store_write(store, "a/empty/b", old, &error));
    g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_FAILED);
    g_autofree char *folder = pen_store_path(store, "a/b");
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    g_assert_cmpstr(g_dir_read_name(dir), ==, "c.png");
    g_assert_null(g_dir_read_name(dir)); /* no draft was left */
}

static void test_garbage(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    PenStore *store = fixture->store;
    g_autoptr(GBytes) content = fixture_content(1);
    PenGarbage deleted;
    gint64 style = fixture_style(store, "Ink");
    gint64 round = fixture_complete_round(store, style, 4, &error);
    g_assert_cmpint(fixture_pick(store, round, 0, 4, &error), >, 0);
    g_assert_true(pen_store_set_round_start(store, round, content, content, &error));
    PenPlace place = { .image = (char *)"image", .image_name = (char *)"Sea" };
    g_assert_true(pen_store_set_place(store, round, &place, content, &error));
    gint64 first = fixture_begin_run(store, style, &error);
    g_assert_cmpint(pen_store_finish_run(store, first, content, &error), >, 0);
    g_assert_cmpint(fixture_pick(store, round, 1, 4, &error), >, 0);
    gint64 run = fixture_begin_run(store, style, &error);
    g_assert_true(pen_store_checkpoint_run(store, run, 1, content, &error));
    g_assert_true(pen_store_delete_style(store, style, &error));

    g_assert_true(pen_store_write(store, "rounds/77/0.png", content, &error));
    g_assert_true(pen_store_write(store, "rounds/1/0.png.ABCDEF", content, &error));
    g_assert_true(pen_store_write(store, "rounds/1/draft/0.png", content, &error));
    g_assert_true(pen_store_write(store, "runs/1/step-0.safetensors", content, &error));
    g_assert_true(pen_store_write(store, "models/mine/unet.safetensors", content, &error));
    g_assert_true(pen_store_collect_garbage(store, 3600, &deleted, &error));
    g_assert_cmpuint(deleted.files, ==, 0);
    g_assert_true(pen_store_collect_garbage(store, -1, &deleted, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(deleted.files, ==, 3);
    g_assert_cmpuint(deleted.bytes, ==, 3 * g_bytes_get_size(content));
    assert_exists(fixture, "rounds/77/0.png", TRUE); /* the database may have lost it */
    assert_exists(fixture, "rounds/1/draft", FALSE);
    assert_exists(fixture, "models/mine/unet.safetensors", TRUE);
    assert_exists(fixture, "rounds/1/3.png", TRUE);
    assert_exists(fixture, "rounds/1/3.safetensors", TRUE);
    assert_exists(fixture, "rounds/1/start.png", TRUE);
    assert_exists(fixture, "rounds/1/mask.png", TRUE);
    assert_exists(fixture, "rounds/1/place.png", TRUE);
    assert_exists(fixture, "runs/2/step-1.safetensors", TRUE);
    g_autoptr(GPtrArray) versions = pen_store_list_style_versions(store, style, &error);
    assert_exists(fixture, ((PenStyleVersion *)versions->pdata[0])->adapter_file, TRUE);
}

#define ADD(name, func) g_test_add("/store/files/" name, Fixture, NULL, fixture_set_up, func, fixture_tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("write", test_write);
    ADD("garbage", test_garbage);
    return g_test_run();
}
