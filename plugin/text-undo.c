// SPDX-License-Identifier: GPL-3.0-or-later
#include "plugin/text-undo.h"

#include <string.h>

#define STATES 200
/* Typing that goes on within this time is one step, unless a word begins. */
#define PAUSE (2 * G_TIME_SPAN_SECOND)

/* Every text that the field has held; `at` is what it holds now. Texts are short. */
typedef struct {
    GPtrArray *states; /* char * */
    guint at;
    gint64 changed; /* when, last */
    gboolean restoring;
} History;

static char *read_text(GtkWidget *field)
{
    if (GTK_IS_ENTRY(field))
        return g_strdup(gtk_entry_get_text(GTK_ENTRY(field)));
    GtkTextIter start, end;
    GtkTextBuffer *buffer = gtk_text_view_get_buffer(GTK_TEXT_VIEW(field));
    gtk_text_buffer_get_bounds(buffer, &start, &end);
    return gtk_text_buffer_get_text(buffer, &start, &end, TRUE);
}

/* With the cursor where the texts begin to differ from their ends, that is after the change. */
static void write_text(GtkWidget *field, const char *text)
{
    g_autofree char *old = read_text(field);
    const char *a = old + strlen(old), *b = text + strlen(text);
    while (a > old && b > text && a[-1] == b[-1])
        a--, b--;
    while (b > text && (*b & 0xc0) == 0x80) /* within a character */
        b--;
    int cursor = (int)g_utf8_pointer_to_offset(text, b);
    if (GTK_IS_ENTRY(field)) {
        gtk_entry_set_text(GTK_ENTRY(field), text);
        gtk_editable_set_position(GTK_EDITABLE(field), cursor);
        return;
    }
    GtkTextIter iter;
    GtkTextBuffer *buffer = gtk_text_view_get_buffer(GTK_TEXT_VIEW(field));
    gtk_text_buffer_set_text(buffer, text, -1);
    gtk_text_buffer_get_iter_at_offset(buffer, &iter, cursor);
    gtk_text_buffer_place_cursor(buffer, &iter);
}

/* One character more, and not the first of a word. */
static gboolean continues(const char *before, const char *now)
{
    gsize longer = strlen(now), shorter = strlen(before);
    if (longer <= shorter || longer - shorter > 4)
        return FALSE;
    const char *a = before, *b = now;
    while (*a && *a == *b)
        a++, b++;
    gunichar added = g_utf8_get_char_validated(b, -1);
    return added != (gunichar)-1 && added != (gunichar)-2 && !g_unichar_isspace(added);
}

static History *history_of(GtkWidget *field)
{
    return g_object_get_data(G_OBJECT(field), "pen-text-undo");
}

static void on_changed(GtkWidget *field)
{
    History *history = history_of(field);
    g_autofree char *text = read_text(field);
    const char *before = history->states->pdata[history->at];
    if (history->restoring || strcmp(text, before) == 0)
        return;
    gint64 now = g_get_monotonic_time();
    g_ptr_array_set_size(history->states, (int)history->at + 1);
    if (history->at > 0 && now - history->changed < PAUSE && continues(before, text))
        g_ptr_array_set_size(history->states, (int)history->at);
    g_ptr_array_add(history->states, g_steal_pointer(&text));
    if (history->states->len > STATES)
        g_ptr_array_remove_index(history->states, 0);
    history->at = history->states->len - 1;
    history->changed = now;
}

static gboolean on_key_press(GtkWidget *field, GdkEventKey *event, gpointer data)
{
    GdkModifierType modifiers = event->state & gtk_accelerator_get_default_mod_mask();
    guint key = gdk_keyval_to_lower(event->keyval);
    gboolean undo = modifiers == GDK_CONTROL_MASK && key == GDK_KEY_z;
    gboolean redo = (modifiers == GDK_CONTROL_MASK && key == GDK_KEY_y) ||
                    (modifiers == (GDK_CONTROL_MASK | GDK_SHIFT_MASK) && key == GDK_KEY_z);
    if (!undo && !redo)
        return FALSE;
    History *history = history_of(field);
    if (undo ? history->at > 0 : history->at + 1 < history->states->len) {
        history->at += undo ? -1 : 1;
        history->changed = 0;
        history->restoring = TRUE;
        write_text(field, history->states->pdata[history->at]);
        history->restoring = FALSE;
    }
    return TRUE;
}

static void history_free(gpointer data)
{
    History *history = data;
    g_ptr_array_unref(history->states);
    g_free(history);
}

void pen_text_undo_restart(GtkWidget *field)
{
    History *history = history_of(field);
    g_ptr_array_set_size(history->states, 0);
    g_ptr_array_add(history->states, read_text(field));
    history->at = 0;
}

void pen_text_undo_add(GtkWidget *field)
{
    History *history = g_new0(History, 1);
    history->states = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(history->states, read_text(field));
    g_object_set_data_full(G_OBJECT(field), "pen-text-undo", history, history_free);
    GObject *changes = GTK_IS_ENTRY(field)
                           ? G_OBJECT(field)
                           : G_OBJECT(gtk_text_view_get_buffer(GTK_TEXT_VIEW(field)));
    g_signal_connect_object(changes, "changed", G_CALLBACK(on_changed), field, G_CONNECT_SWAPPED);
    g_signal_connect(field, "key-press-event", G_CALLBACK(on_key_press), NULL);
}
