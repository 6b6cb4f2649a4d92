// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/formats/json.h"

#include <string.h>

static PenJson *parse(const char *text, GError **error)
{
    return pen_json_parse(text, strlen(text), "test.json", NULL, error);
}

static void test_refused(void)
{
    static const char *const bad[] = {
        "",
        " ",
        "{",
        "}",
        "[1,2",
        "[1 2]",
        "[1,,2]",
        "[1}",
        "{]",
        "{\"a\":1,\"a\":2}",
        "{\"b\":{\"a\":1,\"\\u0061\":2}}",
        "{\"a\"}",
        "{\"a\":}",
        "{a:1}",
        "{'a':1}",
        "[NaN]",
        "[Infinity]",
        "[-Infinity]",
        "[1.]",
        "[.5]",
        "[01]",
        "[0x10]",
        "[1e]",
        "[+1]",
        "[tru]",
        "[truex]",
        "[\"a\\q\"]",
        "[\"a\\u12\"]",
        "[\"a\\u0000\"]",
        "[\"\\ud800\"]",
        "[\"\\udc00\"]",
        "[\"\\ud800x\"]",
        "[\"a\nb\"]",
        "[\"a]",
        "[\"a\\",
        "// [\n{}",
        "/* \" */ [[[]]]",
        "{} {}",
        "[\"\xff\"]",
        "[\"\xc0\x80\"]",
    };
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(PenJson) json = parse(bad[i], &error);
        if (json)
            g_test_message("accepted: %s", bad[i]);
        g_assert_null(json);
        g_assert_error(error, PEN_FORMAT_ERROR, PEN_FORMAT_ERROR_INVALID);
        g_assert_nonnull(strstr(error->message, "test.json"));
    }
}

static void test_limits(void)
{
    const PenJsonLimits limits = { 100, 3, 8 };
    static const struct {
        const char *text;
        gboolean good;
    } cases[] = {
        { "[[[]]]", TRUE },       { "[[[[]]]]", FALSE },       { "{\"a\":[{}]}", TRUE },
        { "[\"[[[[[[\"]", TRUE }, { "[1,2,3,4,5,6,7]", TRUE }, { "[1,2,3,4,5,6,7,8]", FALSE },
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(PenJson) json =
            pen_json_parse(cases[i].text, strlen(cases[i].text), "x", &limits, NULL);
        g_assert_cmpint(json != NULL, ==, cases[i].good);
    }
    g_autofree char *deep = g_strnfill(10000000, '[');
    g_assert_null(parse(deep, NULL));
    g_assert_null(pen_json_parse(deep, 101, "x", &limits, NULL));
}

static void test_getters(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(PenJson) json = parse("{\"int\": 4, \"whole\": 4.0, \"real\": 0.5, \"yes\": true,"
                                    " \"text\": \"\\u00e9\\ud83c\\udfa8\", \"null\": null,"
                                    " \"list\": [1, 2, 3], \"names\": [\"a\", \"b\"],"
                                    " \"object\": {\"in\": [{\"n\": 7}]}, \"exp\": 1e3,"
                                    " \"huge\": 1000000000000000019884624838656,"
                                    " \"big\": 18446744073709551620, \"inf\": 1e999}",
                                    &error);
    g_assert_no_error(error);

    int number = 9, numbers[3] = { 0 };
    g_assert_true(pen_json_get_int(json, "int", 0, 4, &number, NULL) && number == 4);
    number = 9;
    g_assert_true(pen_json_get_int(json, "whole", 0, 4, &number, NULL) && number == 4);
    g_assert_true(pen_json_get_int(json, "missing", 0, 4, &number, NULL) && number == 4);
    g_assert_true(pen_json_get_int(json, "null", 0, 4, &number, NULL) && number == 4);
    static const char *const not_ints[] = {
        "real", "yes", "text", "list", "object", "huge", "big"
    };
    for (gsize i = 0; i < G_N_ELEMENTS(not_ints); i++) {
        g_assert_false(pen_json_get_int(json, not_ints[i], 0, G_MAXINT, &number, &error));
        g_assert_error(error, PEN_FORMAT_ERROR, PEN_FORMAT_ERROR_INVALID);
        g_assert_true(g_str_has_prefix(error->message, "test.json: "));
        g_assert_nonnull(strstr(error->message, not_ints[i]));
        g_clear_error(&error);
    }
    g_assert_false(pen_json_get_int(json, "int", 0, 3, &number, NULL));
    g_assert_false(pen_json_get_int(json, "int", 5, 9, &number, NULL));

    g_assert_true(pen_json_get_ints(json, "int", 0, 9, 3, numbers, NULL));
    g_assert_true(numbers[0] == 4 && numbers[1] == 4 && numbers[2] == 4);
    g_assert_true(pen_json_get_ints(json, "list", 0, 9, 3, numbers, NULL));
    g_assert_true(numbers[0] == 1 && numbers[1] == 2 && numbers[2] == 3);
    g_assert_false(pen_json_get_ints(json, "list", 0, 9, 2, numbers, NULL));
    g_assert_false(pen_json_get_ints(json, "list", 0, 2, 3, numbers, NULL));

    double real = -1;
    g_assert_true(pen_json_get_double(json, "real", &real, NULL) && real == 0.5);
    g_assert_true(pen_json_get_double(json, "int", &real, NULL) && real == 4);
    g_assert_true(pen_json_get_double(json, "exp", &real, NULL) && real == 1000);
    g_assert_false(pen_json_get_double(json, "text", &real, NULL));
    g_assert_false(pen_json_get_double(json, "inf", &real, NULL));
    g_autoptr(GArray) reals = NULL;
    g_assert_true(pen_json_get_doubles(json, "list", &reals, NULL) && reals->len == 3);
    g_assert_false(pen_json_get_doubles(json, "names", &reals, NULL));

    gboolean yes = FALSE;
    g_assert_true(pen_json_get_bool(json, "yes", &yes, NULL) && yes);
    g_assert_false(pen_json_get_bool(json, "int", &yes, NULL));

    g_autofree char *text = g_strdup("default");
    g_assert_true(pen_json_get_string(json, "missing", &text, NULL));
    g_assert_cmpstr(text, ==, "default");
    g_assert_true(pen_json_get_string(json, "text", &text, NULL));
    g_assert_cmpstr(text, ==, "é🎨");
    g_assert_false(pen_json_get_string(json, "int", &text, NULL));
    g_auto(GStrv) names = NULL;
    g_assert_true(pen_json_get_strings(json, "names", &names, NULL));
    g_assert_cmpstr(names[1], ==, "b");
    g_assert_false(pen_json_get_strings(json, "list", &names, NULL));

    g_autoptr(PenJson) object = NULL;
    g_assert_true(pen_json_get_object(json, "object", &object, NULL));
    g_assert_false(pen_json_get_object(json, "list", &object, NULL));
    g_assert_true(pen_json_is_object(object) && !pen_json_is_array(object));
    g_assert_true(pen_json_require(json, NULL, "int", "real", NULL));
    g_assert_false(pen_json_require(object, &error, "in", "out", NULL));
    g_assert_nonnull(strstr(error->message, "object.out"));
}

static void test_elements(void)
{
    g_autoptr(PenJson) json = parse("[{\"n\": 7}, 3]", NULL);
    g_autoptr(GError) error = NULL;
    int n = 0;

    g_assert_cmpuint(pen_json_n_elements(json), ==, 2);
    g_autoptr(PenJson) first = pen_json_element(json, 0);
    g_autoptr(PenJson) second = pen_json_element(json, 1);
    g_assert_true(pen_json_get_int(first, "n", 0, 9, &n, NULL) && n == 7);
    g_assert_false(pen_json_get_int(first, "n", 0, 5, &n, &error));
    g_assert_nonnull(strstr(error->message, "0.n"));
    g_assert_false(pen_json_has(second, "n"));
    g_assert_cmpuint(pen_json_n_elements(first), ==, 0);
}

static void test_files(void)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(pen_json_load("/nonexistent/x.json", &error));
    g_assert_error(error, G_FILE_ERROR, G_FILE_ERROR_NOENT);
    g_clear_error(&error);
    g_assert_null(pen_json_load("/dev/zero", &error));
    g_assert_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL);
    g_clear_error(&error);
    g_assert_null(pen_json_load(PEN_TEST_DATA, &error));
    g_assert_nonnull(error);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/json/refused", test_refused);
    g_test_add_func("/json/limits", test_limits);
    g_test_add_func("/json/getters", test_getters);
    g_test_add_func("/json/elements", test_elements);
    g_test_add_func("/json/files", test_files);
    return g_test_run();
}
