#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# step-back.sh COMMAND...: runs it with what others leave of the processor, also where Linux shares it out by sessions.
{ echo 10 >/proc/self/autogroup; } 2>/dev/null || true
exec nice -n 10 "$@"
