// SPDX-License-Identifier: GPL-3.0-or-later
#include "plugin/choice.h"

/* The choice as text: places in order, "-" before anything was chosen. */
static char *show(const PenChoiceState *choice)
{
    GString *text = g_string_new(choice->made ? NULL : "-");
    for (int i = 0; i < choice->n && choice->made; i++)
        g_string_append_printf(text, "%d", choice->place[i]);
    return g_string_free(text, FALSE);
}

static void expect(const PenChoiceState *choice, const char *wanted)
{
    g_autofree char *text = show(choice);
    g_assert_cmpstr(text, ==, wanted);
}

static void test_best(void)
{
    PenChoiceState choice;
    pen_choice_init(&choice, 4);
    expect(&choice, "-");
    pen_choice_best(&choice, 2);
    expect(&choice, "0010");
    g_assert_cmpint(pen_choice_get_best(&choice), ==, 2);
    pen_choice_best(&choice, 0);
    expect(&choice, "1000");
    /* Saying it again says nothing new, and lower places stay. */
    pen_choice_next(&choice, 3);
    pen_choice_best(&choice, 0);
    expect(&choice, "1002");
    pen_choice_best(&choice, 1);
    expect(&choice, "0102");
    /* One of the order comes to its front. */
    pen_choice_next(&choice, 2);
    pen_choice_best(&choice, 2);
    expect(&choice, "0213");
    pen_choice_take_out(&choice, 2);
    expect(&choice, "0102");
    pen_choice_take_out(&choice, 0);
    expect(&choice, "0102");
    pen_choice_take_out(&choice, 1);
    pen_choice_take_out(&choice, 3);
    expect(&choice, "-");
    g_assert_cmpint(pen_choice_get_best(&choice), ==, -1);
}

static void test_next_and_tie(void)
{
    PenChoiceState choice;
    pen_choice_init(&choice, 4);
    pen_choice_best(&choice, 1);
    pen_choice_next(&choice, 3);
    pen_choice_next(&choice, 0);
    expect(&choice, "3102");
    pen_choice_tie(&choice, 2);
    expect(&choice, "3132");
    g_assert_true(pen_choice_is_tied(&choice, 0));
    g_assert_false(pen_choice_is_tied(&choice, 1));
    /* Taking out a place that nobody shares closes the gap; a shared one stays. */
    pen_choice_next(&choice, 3);
    expect(&choice, "2120");
    pen_choice_tie(&choice, 2);
    expect(&choice, "2100");
    pen_choice_next(&choice, 1);
    expect(&choice, "1000");
    pen_choice_next(&choice, 0);
    expect(&choice, "-");
    pen_choice_tie(&choice, 1);
    expect(&choice, "0100");
}

static void test_none(void)
{
    PenChoiceState choice;
    pen_choice_init(&choice, 3);
    g_assert_false(pen_choice_is_none(&choice));
    pen_choice_none(&choice);
    g_assert_true(pen_choice_is_none(&choice));
    expect(&choice, "000");
    pen_choice_none(&choice);
    expect(&choice, "-");
}

/* Every choice that the cards can show is read back as it was written. */
static void test_round_trip(void)
{
    for (int code = 0; code < 256; code++) {
        PenChoiceState choice;
        pen_choice_init(&choice, 4);
        for (int i = 0; i < 4; i++) {
            int gesture = code >> (2 * i) & 3;
            if (gesture == 1)
                pen_choice_next(&choice, i);
            else if (gesture == 2)
                pen_choice_tie(&choice, i);
        }
        int ranks[4];
        pen_choice_write(&choice, ranks);
        PenPick pick = { .n = 4, .ranks = ranks };
        PenChoiceState again;
        pen_choice_read(&again, &pick);
        /* Nobody is better than another where all share a place. */
        gboolean order = FALSE;
        for (int i = 1; i < 4; i++)
            order = order || ranks[i] != ranks[0];
        for (int i = 0; i < 4; i++)
            g_assert_cmpint(again.place[i], ==, order ? choice.place[i] : 0);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/choice/best", test_best);
    g_test_add_func("/choice/next-and-tie", test_next_and_tie);
    g_test_add_func("/choice/none", test_none);
    g_test_add_func("/choice/round-trip", test_round_trip);
    return g_test_run();
}
