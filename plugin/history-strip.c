// SPDX-License-Identifier: GPL-3.0-or-later
#include "plugin/history-strip.h"

#include <glib/gi18n-lib.h>

#include "plugin/picture.h"
#include "plugin/text-undo.h"
#include "plugin/ui.h"
#include "src/store/history.h"

#define PAGE 60
#define THUMB 56
#define SETTLE_MS 250 /* after the last letter of a search */

struct _PenHistoryStrip {
    GtkBox parent;
    PenApp *app;
    GtkWidget *words, *style, *row, *older, *nothing;
    GHashTable *items; /* round (gint64 *) -> its button; both owned by others */
    GCancellable *load;
    gint64 current;
    gint64 last; /* the oldest round that is shown */
    guint settling, filling_soon;
    gboolean filling;
};

enum { CHOSEN, REUSE, LIKE, N_SIGNALS };
static guint signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE(PenHistoryStrip, pen_history_strip, GTK_TYPE_BOX)

/* --- the items ------------------------------------------------------------------------------- */

#define ROUND_KEY "penchant-round"

static gint64 round_of(GtkWidget *item)
{
    return *(gint64 *)g_object_get_data(G_OBJECT(item), ROUND_KEY);
}

static char *when(gint64 microseconds)
{
    g_autoptr(GDateTime) utc = g_date_time_new_from_unix_utc(microseconds / G_USEC_PER_SEC);
    g_autoptr(GDateTime) here = g_date_time_to_local(utc);
    return g_date_time_format(here, "%x %H:%M");
}

static char *describe(const PenPastRound *past)
{
    g_autofree char *date = when(past->created);
    g_autofree char *style =
        !past->style_name ? g_strdup(_("no style"))
        : past->style_number
            ? g_strdup_printf(_("“%s”, version %d"), past->style_name, past->style_number)
            : g_strdup_printf(_("“%s”, before any teaching"), past->style_name);
    return g_strdup_printf("%s\n%s · %s%s", past->prompt, style, date,
                           past->voted ? _(" · voted") : "");
}

static void mark_current(PenHistoryStrip *strip, gint64 round, gboolean current)
{
    GtkWidget *item = g_hash_table_lookup(strip->items, &round);
    if (!item)
        return;
    GtkStyleContext *style = gtk_widget_get_style_context(item);
    if (current)
        gtk_style_context_add_class(style, "pen-current");
    else
        gtk_style_context_remove_class(style, "pen-current");
}

static void on_clicked(GtkWidget *item, PenHistoryStrip *strip)
{
    g_signal_emit(strip, signals[CHOSEN], 0, round_of(item));
}

/* --- the menu of an item --------------------------------------------------------------------- */

static void on_reuse(GtkWidget *item, PenHistoryStrip *strip)
{
    g_signal_emit(strip, signals[REUSE], 0, round_of(item));
}

static void on_like(GtkWidget *item, PenHistoryStrip *strip)
{
    g_signal_emit(strip, signals[LIKE], 0, round_of(item));
}

static void on_delete(GtkWidget *item, PenHistoryStrip *strip)
{
    pen_app_delete_round(strip->app, round_of(item));
}

static void on_copy_seed(GtkWidget *item, PenHistoryStrip *strip)
{
    g_autoptr(PenRound) round =
        pen_store_get_round(pen_app_store(strip->app), round_of(item), NULL);
    if (!round)
        return;
    g_autofree char *seed = g_strdup_printf("%" G_GUINT64_FORMAT, round->seed);
    gtk_clipboard_set_text(gtk_widget_get_clipboard(item, GDK_SELECTION_CLIPBOARD), seed, -1);
    g_autofree char *text = g_strdup_printf(_("The seed %s is copied."), seed);
    pen_app_notify(strip->app, GTK_MESSAGE_INFO, text);
}

static void add_entry(GtkWidget *menu, const char *label, GCallback chosen, GtkWidget *item,
                      PenHistoryStrip *strip)
{
    GtkWidget *entry = gtk_menu_item_new_with_mnemonic(label);
    g_object_set_data_full(G_OBJECT(entry), ROUND_KEY,
                           g_memdup2(g_object_get_data(G_OBJECT(item), ROUND_KEY), sizeof(gint64)),
                           g_free);
    g_signal_connect(entry, "activate", chosen, strip);
    gtk_menu_shell_append(GTK_MENU_SHELL(menu), entry);
}

static GtkMenu *new_menu(GtkWidget *item, PenHistoryStrip *strip)
{
    GtkWidget *menu = gtk_menu_new();
    add_entry(menu, _("_Show the Round"), G_CALLBACK(on_clicked), item, strip);
    add_entry(menu, _("_Use These Settings"), G_CALLBACK(on_reuse), item, strip);
    add_entry(menu, _("More _Like This"), G_CALLBACK(on_like), item, strip);
    add_entry(menu, _("_Copy the Seed"), G_CALLBACK(on_copy_seed), item, strip);
    gtk_menu_shell_append(GTK_MENU_SHELL(menu), gtk_separator_menu_item_new());
    add_entry(menu, _("_Delete"), G_CALLBACK(on_delete), item, strip);
    gtk_menu_attach_to_widget(GTK_MENU(menu), item, NULL);
    g_signal_connect(menu, "selection-done", G_CALLBACK(gtk_widget_destroy), NULL);
    gtk_widget_show_all(menu);
    return GTK_MENU(menu);
}

static gboolean on_button(GtkWidget *item, GdkEvent *event, PenHistoryStrip *strip)
{
    if (!gdk_event_triggers_context_menu(event))
        return FALSE;
    gtk_menu_popup_at_pointer(new_menu(item, strip), event);
    return TRUE;
}

static gboolean on_popup_menu(GtkWidget *item, PenHistoryStrip *strip)
{
    gtk_menu_popup_at_widget(new_menu(item, strip), item, GDK_GRAVITY_NORTH_WEST,
                             GDK_GRAVITY_SOUTH_WEST, NULL);
    return TRUE;
}

static gboolean on_key(GtkWidget *item, GdkEventKey *event, PenHistoryStrip *strip)
{
    if (event->keyval != GDK_KEY_Delete && event->keyval != GDK_KEY_KP_Delete)
        return FALSE;
    on_delete(item, strip);
    return TRUE;
}

/* --- an item --------------------------------------------------------------------------------- */

/* What is seen of a round; its picture comes later. */
static void show_item(GtkWidget *item, const PenPastRound *past)
{
    g_autofree char *text = describe(past);
    gtk_widget_set_tooltip_text(item, text);
    pen_ui_name(item, text);
    GtkWidget *star = g_object_get_data(G_OBJECT(item), "star");
    gtk_widget_set_visible(star, past->voted);
}

static GtkWidget *new_item(PenHistoryStrip *strip, const PenPastRound *past)
{
    GtkWidget *item = gtk_button_new();
    gtk_button_set_relief(GTK_BUTTON(item), GTK_RELIEF_NONE);
    gtk_style_context_add_class(gtk_widget_get_style_context(item), "pen-past");
    GtkWidget *image = gtk_image_new();
    gtk_widget_set_size_request(image, THUMB, THUMB);
    GtkWidget *star = gtk_label_new("★");
    gtk_style_context_add_class(gtk_widget_get_style_context(star), "pen-star");
    gtk_widget_set_halign(star, GTK_ALIGN_START);
    gtk_widget_set_valign(star, GTK_ALIGN_START);
    gtk_widget_set_no_show_all(star, TRUE);
    GtkWidget *overlay = gtk_overlay_new();
    gtk_container_add(GTK_CONTAINER(overlay), image);
    gtk_overlay_add_overlay(GTK_OVERLAY(overlay), star);
    gtk_container_add(GTK_CONTAINER(item), overlay);
    g_object_set_data(G_OBJECT(item), "image", image);
    g_object_set_data(G_OBJECT(item), "star", star);
    gint64 *round = g_memdup2(&past->round, sizeof past->round);
    g_object_set_data_full(G_OBJECT(item), ROUND_KEY, round, g_free);
    g_signal_connect(item, "clicked", G_CALLBACK(on_clicked), strip);
    g_signal_connect(item, "button-press-event", G_CALLBACK(on_button), strip);
    g_signal_connect(item, "popup-menu", G_CALLBACK(on_popup_menu), strip);
    g_signal_connect(item, "key-press-event", G_CALLBACK(on_key), strip);
    g_hash_table_insert(strip->items, round, item);
    show_item(item, past);
    gtk_widget_show_all(item);
    mark_current(strip, past->round, past->round == strip->current);
    return item;
}

/* --- pictures -------------------------------------------------------------------------------- */

/* The images that a load fills, in the order of its paths. */
typedef struct {
    GPtrArray *images;
    int factor;
} Thumbs;

static void on_thumbs(GPtrArray *pictures, gpointer data)
{
    Thumbs *thumbs = data;
    for (guint i = 0; i < pictures->len; i++) {
        if (!pictures->pdata[i])
            continue;
        cairo_surface_t *surface =
            gdk_cairo_surface_create_from_pixbuf(pictures->pdata[i], thumbs->factor, NULL);
        gtk_image_set_from_surface(thumbs->images->pdata[i], surface);
        cairo_surface_destroy(surface);
    }
}

static void thumbs_free(gpointer data)
{
    Thumbs *thumbs = data;
    g_ptr_array_unref(thumbs->images);
    g_free(thumbs);
}

/* `items`: buttons of the rounds `rounds`, in the same order. */
static void load_thumbs(PenHistoryStrip *strip, GPtrArray *items, GPtrArray *rounds)
{
    PenStore *store = pen_app_store(strip->app);
    g_autoptr(GPtrArray) paths = g_ptr_array_new_with_free_func(g_free);
    Thumbs *thumbs = g_new(Thumbs, 1);
    *thumbs = (Thumbs){ g_ptr_array_new_with_free_func(g_object_unref),
                        gtk_widget_get_scale_factor(GTK_WIDGET(strip)) };
    for (guint i = 0; i < rounds->len; i++) {
        const PenPastRound *past = rounds->pdata[i];
        g_ptr_array_add(paths, past->picture ? pen_store_path(store, past->picture) : NULL);
        g_ptr_array_add(thumbs->images,
                        g_object_ref(g_object_get_data(G_OBJECT(items->pdata[i]), "image")));
    }
    if (!strip->load)
        strip->load = g_cancellable_new();
    pen_pictures_load(paths, THUMB * thumbs->factor, strip->load, on_thumbs, thumbs, thumbs_free);
}

/* --- filling --------------------------------------------------------------------------------- */

static PenHistoryFilter filter_of(PenHistoryStrip *strip)
{
    const char *style = gtk_combo_box_get_active_id(GTK_COMBO_BOX(strip->style));
    return (PenHistoryFilter){ gtk_entry_get_text(GTK_ENTRY(strip->words)),
                               style ? g_ascii_strtoll(style, NULL, 10) : 0 };
}

/* A page more. */
static void add_page(PenHistoryStrip *strip)
{
    PenStore *store = pen_app_store(strip->app);
    PenHistoryFilter filter = filter_of(strip);
    g_autoptr(GPtrArray) rounds =
        store ? pen_store_list_history(store, &filter, strip->last, PAGE, NULL) : NULL;
    g_autoptr(GPtrArray) items = g_ptr_array_new(), seen = g_ptr_array_new();
    for (guint i = 0; rounds && i < rounds->len; i++) {
        PenPastRound *past = rounds->pdata[i];
        strip->last = past->round;
        if (!past->picture) /* it was stopped before anything was to be seen */
            continue;
        GtkWidget *item = new_item(strip, past);
        gtk_box_pack_start(GTK_BOX(strip->row), item, FALSE, FALSE, 0);
        g_ptr_array_add(items, item);
        g_ptr_array_add(seen, past);
    }
    if (items->len)
        load_thumbs(strip, items, seen);
    gtk_widget_set_visible(strip->older, rounds && rounds->len == PAGE);
    gtk_widget_set_visible(strip->nothing,
                           (*filter.words || filter.style) && g_hash_table_size(strip->items) == 0);
}

static void fill(gpointer data)
{
    PenHistoryStrip *strip = data;
    g_cancellable_cancel(strip->load);
    g_clear_object(&strip->load);
    g_hash_table_remove_all(strip->items);
    pen_ui_clear(strip->row);
    strip->last = 0;
    add_page(strip);
}

static void fill_styles(PenHistoryStrip *strip)
{
    GtkComboBoxText *combo = GTK_COMBO_BOX_TEXT(strip->style);
    g_autofree char *chosen = g_strdup(gtk_combo_box_get_active_id(GTK_COMBO_BOX(combo)));
    strip->filling = TRUE;
    gtk_combo_box_text_remove_all(combo);
    gtk_combo_box_text_append(combo, "0", _("Any style"));
    PenStore *store = pen_app_store(strip->app);
    g_autoptr(GPtrArray) styles = store ? pen_store_list_styles(store, FALSE, NULL) : NULL;
    for (guint i = 0; styles && i < styles->len; i++) {
        const PenStyle *style = styles->pdata[i];
        g_autofree char *id = g_strdup_printf("%" G_GINT64_FORMAT, style->id);
        gtk_combo_box_text_append(combo, id, style->name);
    }
    if (!chosen || !gtk_combo_box_set_active_id(GTK_COMBO_BOX(combo), chosen))
        gtk_combo_box_set_active_id(GTK_COMBO_BOX(combo), "0");
    strip->filling = FALSE;
}

static void on_styles_changed(PenHistoryStrip *strip)
{
    fill_styles(strip);
}

static void on_opened(PenHistoryStrip *strip)
{
    fill_styles(strip);
    pen_ui_later(&strip->filling_soon, fill, strip);
}

static gboolean on_settled(gpointer data)
{
    PenHistoryStrip *strip = data;
    strip->settling = 0;
    fill(strip);
    return G_SOURCE_REMOVE;
}

static void on_filter_changed(PenHistoryStrip *strip)
{
    if (strip->filling)
        return;
    g_clear_handle_id(&strip->settling, g_source_remove);
    strip->settling = g_timeout_add(SETTLE_MS, on_settled, strip);
}

/* Not while the round's own button is still busy with what was pressed. */
void pen_history_strip_refill(PenHistoryStrip *strip)
{
    pen_ui_later(&strip->filling_soon, fill, strip);
}

void pen_history_strip_set_current(PenHistoryStrip *strip, gint64 round)
{
    if (round == strip->current)
        return;
    mark_current(strip, strip->current, FALSE);
    strip->current = round;
    mark_current(strip, round, TRUE);
}

void pen_history_strip_update(PenHistoryStrip *strip, gint64 round)
{
    PenStore *store = pen_app_store(strip->app);
    g_autoptr(PenPastRound) past = store ? pen_store_get_past_round(store, round, NULL) : NULL;
    PenHistoryFilter filter = filter_of(strip);
    GtkWidget *item = g_hash_table_lookup(strip->items, &round);
    /* A new round does not come into the results of a search, and not before it has a picture. */
    if (!past || !past->picture || (!item && (*filter.words || filter.style)))
        return;
    g_autoptr(GPtrArray) rounds = g_ptr_array_new(), items = g_ptr_array_new();
    if (item) {
        show_item(item, past);
    } else {
        item = new_item(strip, past);
        gtk_box_pack_start(GTK_BOX(strip->row), item, FALSE, FALSE, 0);
        gtk_box_reorder_child(GTK_BOX(strip->row), item, 0);
        gtk_widget_hide(strip->nothing);
    }
    g_ptr_array_add(rounds, past);
    g_ptr_array_add(items, item);
    load_thumbs(strip, items, rounds);
}

/* --- building -------------------------------------------------------------------------------- */

static void pen_history_strip_dispose(GObject *object)
{
    PenHistoryStrip *strip = PEN_HISTORY_STRIP(object);
    g_clear_handle_id(&strip->settling, g_source_remove);
    g_clear_handle_id(&strip->filling_soon, g_source_remove);
    g_cancellable_cancel(strip->load);
    g_clear_object(&strip->load);
    g_clear_pointer(&strip->items, g_hash_table_unref);
    G_OBJECT_CLASS(pen_history_strip_parent_class)->dispose(object);
}

static void pen_history_strip_class_init(PenHistoryStripClass *class)
{
    G_OBJECT_CLASS(class)->dispose = pen_history_strip_dispose;
    signals[CHOSEN] = g_signal_new("chosen", PEN_TYPE_HISTORY_STRIP, G_SIGNAL_RUN_LAST, 0, NULL,
                                   NULL, NULL, G_TYPE_NONE, 1, G_TYPE_INT64);
    signals[REUSE] = g_signal_new("reuse", PEN_TYPE_HISTORY_STRIP, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                  NULL, G_TYPE_NONE, 1, G_TYPE_INT64);
    signals[LIKE] = g_signal_new("like", PEN_TYPE_HISTORY_STRIP, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                 NULL, G_TYPE_NONE, 1, G_TYPE_INT64);
}

static void pen_history_strip_init(PenHistoryStrip *strip)
{
    strip->items = g_hash_table_new(g_int64_hash, g_int64_equal);
    gtk_box_set_spacing(GTK_BOX(strip), 9);
    gtk_style_context_add_class(gtk_widget_get_style_context(GTK_WIDGET(strip)), "pen-bar");

    strip->words = pen_ui_name(gtk_search_entry_new(), _("Words of earlier prompts"));
    gtk_entry_set_placeholder_text(GTK_ENTRY(strip->words), _("Search rounds"));
    gtk_entry_set_width_chars(GTK_ENTRY(strip->words), 16);
    pen_text_undo_add(strip->words);
    strip->style =
        pen_ui_name(pen_ui_ellipsize(gtk_combo_box_text_new()), _("Rounds of the style"));
    gtk_combo_box_text_append(GTK_COMBO_BOX_TEXT(strip->style), "0", _("Any style"));
    gtk_combo_box_set_active_id(GTK_COMBO_BOX(strip->style), "0");
    g_signal_connect_swapped(strip->words, "changed", G_CALLBACK(on_filter_changed), strip);
    g_signal_connect_swapped(strip->style, "changed", G_CALLBACK(on_filter_changed), strip);
    GtkWidget *filter = gtk_box_new(GTK_ORIENTATION_VERTICAL, 3);
    gtk_widget_set_valign(filter, GTK_ALIGN_CENTER);
    gtk_box_pack_start(GTK_BOX(filter), strip->words, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(filter), strip->style, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(strip), filter, FALSE, FALSE, 0);

    strip->row = pen_ui_name(gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 3), _("Earlier rounds"));
    strip->older = gtk_button_new_with_mnemonic(_("_Older…"));
    gtk_widget_set_valign(strip->older, GTK_ALIGN_CENTER);
    g_signal_connect_swapped(strip->older, "clicked", G_CALLBACK(add_page), strip);
    strip->nothing = pen_ui_label(_("No round matches."), "pen-hint");
    gtk_widget_set_no_show_all(strip->older, TRUE);
    gtk_widget_set_no_show_all(strip->nothing, TRUE);
    GtkWidget *all = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 6);
    gtk_box_pack_start(GTK_BOX(all), strip->row, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(all), strip->older, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(all), strip->nothing, FALSE, FALSE, 0);
    GtkWidget *scrolled = gtk_scrolled_window_new(NULL, NULL);
    gtk_scrolled_window_set_policy(GTK_SCROLLED_WINDOW(scrolled), GTK_POLICY_AUTOMATIC,
                                   GTK_POLICY_NEVER);
    gtk_container_add(GTK_CONTAINER(scrolled), all);
    gtk_container_set_focus_hadjustment(
        GTK_CONTAINER(all), gtk_scrolled_window_get_hadjustment(GTK_SCROLLED_WINDOW(scrolled)));
    gtk_box_pack_start(GTK_BOX(strip), scrolled, TRUE, TRUE, 0);
}

GtkWidget *pen_history_strip_new(PenApp *app)
{
    PenHistoryStrip *strip = g_object_new(PEN_TYPE_HISTORY_STRIP, NULL);
    strip->app = app;
    g_signal_connect_object(app, "opened", G_CALLBACK(on_opened), strip, G_CONNECT_SWAPPED);
    g_signal_connect_object(app, "styles-changed", G_CALLBACK(on_styles_changed), strip,
                            G_CONNECT_SWAPPED);
    return GTK_WIDGET(strip);
}
