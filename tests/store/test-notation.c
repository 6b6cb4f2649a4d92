// SPDX-License-Identifier: GPL-3.0-or-later
#include <string.h>

#include "src/store/notation.h"
#include "src/store/store.h"

/* Ranks before a failing call; they must stay. */
#define UNTOUCHED -77

static void assert_order(const int *ranks, int n, const char *expected)
{
    g_autofree char *order = pen_notation_write(ranks, n);
    g_assert_cmpstr(order, ==, expected);
}

static void test_best(void)
{
    g_autoptr(GError) error = NULL;
    int ranks[4];

    g_assert_true(pen_notation_read_best(2, ranks, 4, &error));
    assert_order(ranks, 4, "2>0=1=3");
    g_assert_true(pen_notation_read_best(0, ranks, 1, &error));
    assert_order(ranks, 1, "0");

    ranks[0] = UNTOUCHED;
    g_assert_false(pen_notation_read_best(4, ranks, 4, &error));
    g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_INVALID);
    g_assert_nonnull(strstr(error->message, "0 to 3"));
    g_clear_error(&error);
    g_assert_false(pen_notation_read_best(-1, ranks, 4, &error));
    g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_INVALID);
    g_assert_cmpint(ranks[0], ==, UNTOUCHED);
}

static void test_order(void)
{
    static const struct {
        const char *order, *canonical;
    } cases[] = {
        { "2>0>1=3", "2>0>1=3" }, { " 2 > 0\t> 3 = 1 ", "2>0>1=3" },
        { "3", "3>0=1=2" },       { "3=1", "1=3>0=2" },
        { "3>1", "3>1>0=2" },     { "0=1=2=3", "0=1=2=3" },
        { "3>2>1>0", "3>2>1>0" }, { "00>1", "0>1>2=3" },
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        int ranks[4], again[4];
        g_assert_true(pen_notation_read_order(cases[i].order, ranks, 4, &error));
        g_assert_no_error(error);
        assert_order(ranks, 4, cases[i].canonical);
        g_assert_true(pen_notation_read_order(cases[i].canonical, again, 4, &error));
        assert_order(again, 4, cases[i].canonical);
    }
}

static void test_bad_order(void)
{
    static const struct {
        const char *order, *hint;
    } cases[] = {
        { "", "character 1" },       { "  ", "character 3" },
        { "a", "character 1" },      { "1>", "character 3" },
        { ">1", "character 1" },     { "1>>2", "character 3" },
        { "1=>2", "character 3" },   { "1 2", "character 3" },
        { "1<2", "character 2" },    { "-1>2", "character 1" },
        { "1,2", "character 2" },    { "ä>1", "character 1" },
        { "1ä", "character 2" },     { "1\xff", "character 2" },
        { "4>1", "no candidate 4" }, { "99999999999999999999", "0 to 3" },
        { "4294967296", "0 to 3" },  { "1>2>1", "named twice" },
        { "1=1", "named twice" },
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        int ranks[4] = { UNTOUCHED, UNTOUCHED, UNTOUCHED, UNTOUCHED };
        g_assert_false(pen_notation_read_order(cases[i].order, ranks, 4, &error));
        g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_INVALID);
        g_assert_true(g_utf8_validate(error->message, -1, NULL));
        if (!strstr(error->message, cases[i].hint))
            g_error("“%s” gave: %s", cases[i].order, error->message);
        for (int j = 0; j < 4; j++)
            g_assert_cmpint(ranks[j], ==, UNTOUCHED);
    }
}

static void test_votes(void)
{
    static const struct {
        const char *up, *down, *order, *hint;
    } cases[] = {
        { "1", NULL, "1>0=2=3", NULL },        { NULL, "1", "0=2=3>1", NULL },
        { "0,3", "1", "0=3>2>1", NULL },       { "3 0", " 1,, 2 ", "0=3>1=2", NULL },
        { "", "2", "0=1=3>2", NULL },          { "0,1,2,3", "", "0=1=2=3", NULL },
        { NULL, NULL, NULL, "at least one" },  { "", " , ", NULL, "at least one" },
        { "1", "1", NULL, "named twice" },     { "1,1", NULL, NULL, "named twice" },
        { "4", NULL, NULL, "no candidate 4" }, { NULL, "7", NULL, "no candidate 7" },
        { "1;2", NULL, NULL, "not a list" },   { "x", NULL, NULL, "not a list" },
        { NULL, "-1", NULL, "not a list" },
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        int ranks[4] = { UNTOUCHED, UNTOUCHED, UNTOUCHED, UNTOUCHED };
        gboolean ok = pen_notation_read_votes(cases[i].up, cases[i].down, ranks, 4, &error);
        if (cases[i].order) {
            g_assert_no_error(error);
            g_assert_true(ok);
            assert_order(ranks, 4, cases[i].order);
        } else {
            g_assert_false(ok);
            g_assert_error(error, PEN_STORE_ERROR, PEN_STORE_ERROR_INVALID);
            g_assert_nonnull(strstr(error->message, cases[i].hint));
            g_assert_cmpint(ranks[0], ==, UNTOUCHED);
        }
    }
}

static void test_write(void)
{
    const int gaps[] = { -5, 100, PEN_RANK_NONE, -5, G_MAXINT };
    assert_order(gaps, 5, "4>1>0=3");
    const int none[] = { PEN_RANK_NONE, PEN_RANK_NONE };
    assert_order(none, 2, "");
    assert_order(none, 0, "");
}

/* Every ranking of five candidates survives being written and read. */
static void test_round_trip(void)
{
    for (int code = 0; code < 5 * 5 * 5 * 5 * 5; code++) {
        int ranks[5], again[5];
        for (int i = 0, rest = code; i < 5; i++, rest /= 5)
            ranks[i] = rest % 5;
        g_autofree char *order = pen_notation_write(ranks, 5);
        g_assert_true(pen_notation_read_order(order, again, 5, NULL));
        for (int i = 0; i < 5; i++) {
            for (int j = 0; j < 5; j++)
                g_assert_true((ranks[i] > ranks[j]) == (again[i] > again[j]));
        }
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/notation/best", test_best);
    g_test_add_func("/notation/order", test_order);
    g_test_add_func("/notation/bad-order", test_bad_order);
    g_test_add_func("/notation/votes", test_votes);
    g_test_add_func("/notation/write", test_write);
    g_test_add_func("/notation/round-trip", test_round_trip);
    return g_test_run();
}
