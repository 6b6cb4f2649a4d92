// SPDX-License-Identifier: GPL-3.0-or-later
#include "plugin/columns.h"

#include "plugin/ui.h"

/* Less than this is too narrow for two columns, in widths of the panel. */
#define NARROW 2.0
#define HANDLE 12 /* about what is between them */
#define ONE_COLUMN 560 /* in less height one above the other would show neither */

struct _PenColumns {
    GtkPaned parent;
    int width;        /* of the panel, where it stands beside the rest */
    guint turn_soon;  /* pen_ui_later() */
    gboolean turning; /* the handle moves by itself */
};

G_DEFINE_FINAL_TYPE(PenColumns, pen_columns, GTK_TYPE_PANED)

static guint moved_signal;

/* What panel and rest need by themselves. */
static void get_minima(PenColumns *columns, int *panel, int *rest)
{
    gtk_widget_get_preferred_width(gtk_paned_get_child1(GTK_PANED(columns)), panel, NULL);
    gtk_widget_get_preferred_width(gtk_paned_get_child2(GTK_PANED(columns)), rest, NULL);
}

static gboolean is_narrow(PenColumns *columns)
{
    int panel, rest, width = gtk_widget_get_allocated_width(GTK_WIDGET(columns));
    get_minima(columns, &panel, &rest);
    return gtk_widget_get_allocated_height(GTK_WIDGET(columns)) >= ONE_COLUMN &&
           (width < panel + rest + HANDLE || width < NARROW * columns->width);
}

static gboolean is_turned(PenColumns *columns)
{
    return gtk_orientable_get_orientation(GTK_ORIENTABLE(columns)) == GTK_ORIENTATION_VERTICAL;
}

/* Half of the height for each, in one column. */
static void turn(gpointer data)
{
    PenColumns *columns = data;
    gboolean narrow = is_narrow(columns);
    columns->turning = TRUE;
    gtk_orientable_set_orientation(GTK_ORIENTABLE(columns),
                                   narrow ? GTK_ORIENTATION_VERTICAL : GTK_ORIENTATION_HORIZONTAL);
    gtk_paned_set_position(GTK_PANED(columns),
                           narrow ? gtk_widget_get_allocated_height(GTK_WIDGET(columns)) / 2
                                  : columns->width);
    columns->turning = FALSE;
}

static void pen_columns_size_allocate(GtkWidget *widget, GtkAllocation *allocation)
{
    PenColumns *columns = PEN_COLUMNS(widget);
    gboolean before = columns->turning;
    columns->turning = TRUE; /* what GTK moves, the artist has not moved */
    GTK_WIDGET_CLASS(pen_columns_parent_class)->size_allocate(widget, allocation);
    columns->turning = before;
    if (is_narrow(columns) != is_turned(columns))
        pen_ui_later(&columns->turn_soon, turn, columns);
}

static void on_position(PenColumns *columns)
{
    if (columns->turning || is_turned(columns))
        return;
    columns->width = gtk_paned_get_position(GTK_PANED(columns));
    g_signal_emit(columns, moved_signal, 0, columns->width);
}

/* The window can become so narrow that the columns turn. */
static void pen_columns_get_preferred_width(GtkWidget *widget, int *minimum, int *natural)
{
    GTK_WIDGET_CLASS(pen_columns_parent_class)->get_preferred_width(widget, minimum, natural);
    int panel, rest;
    get_minima(PEN_COLUMNS(widget), &panel, &rest);
    *minimum = MAX(panel, rest);
}

static void pen_columns_dispose(GObject *object)
{
    g_clear_handle_id(&PEN_COLUMNS(object)->turn_soon, g_source_remove);
    G_OBJECT_CLASS(pen_columns_parent_class)->dispose(object);
}

static void pen_columns_class_init(PenColumnsClass *class)
{
    G_OBJECT_CLASS(class)->dispose = pen_columns_dispose;
    GTK_WIDGET_CLASS(class)->size_allocate = pen_columns_size_allocate;
    GTK_WIDGET_CLASS(class)->get_preferred_width = pen_columns_get_preferred_width;
    moved_signal = g_signal_new("moved", PEN_TYPE_COLUMNS, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                G_TYPE_NONE, 1, G_TYPE_INT);
}

static void pen_columns_init(PenColumns *columns)
{
    g_signal_connect(columns, "notify::position", G_CALLBACK(on_position), NULL);
}

GtkWidget *pen_columns_new(GtkWidget *panel, GtkWidget *rest, int width)
{
    PenColumns *columns =
        g_object_new(PEN_TYPE_COLUMNS, "orientation", GTK_ORIENTATION_HORIZONTAL, NULL);
    columns->width = width;
    columns->turning = TRUE;
    gtk_paned_pack1(GTK_PANED(columns), panel, FALSE, FALSE);
    gtk_paned_pack2(GTK_PANED(columns), rest, TRUE, FALSE);
    gtk_paned_set_position(GTK_PANED(columns), width);
    columns->turning = FALSE;
    return GTK_WIDGET(columns);
}
