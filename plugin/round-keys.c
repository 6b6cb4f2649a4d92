// SPDX-License-Identifier: GPL-3.0-or-later
#include "plugin/round-keys.h"

#include "plugin/ui.h"

static PenRoundKey key_of(guint keyval)
{
    switch (keyval) {
    case GDK_KEY_Return:
    case GDK_KEY_KP_Enter:
        return PEN_ROUND_KEY_MAKE;
    case GDK_KEY_y:
        return PEN_ROUND_KEY_GUESS;
    case GDK_KEY_Delete:
    case GDK_KEY_BackSpace:
        return PEN_ROUND_KEY_TAKE_OUT;
    case GDK_KEY_space:
        return PEN_ROUND_KEY_LOOK;
    case GDK_KEY_Escape:
        return PEN_ROUND_KEY_LEAVE;
    case GDK_KEY_Left:
    case GDK_KEY_Up:
        return PEN_ROUND_KEY_PREVIOUS;
    case GDK_KEY_Right:
    case GDK_KEY_Down:
        return PEN_ROUND_KEY_NEXT;
    default:
        return PEN_ROUND_KEY_NOTHING;
    }
}

PenRoundKey pen_round_key_of(const GdkEventKey *event, gboolean focused, int *k)
{
    GdkModifierType modifiers = event->state & gtk_accelerator_get_default_mod_mask();
    int digit = pen_ui_digit(event);
    if (modifiers & GDK_MOD1_MASK)
        return PEN_ROUND_KEY_NOTHING;
    *k = digit - 1;
    if (digit >= 0)
        return digit ? PEN_ROUND_KEY_VOTE : PEN_ROUND_KEY_NONE;
    return focused && !modifiers ? key_of(event->keyval) : PEN_ROUND_KEY_NOTHING;
}
