// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/cli/cli.h"

int main(int argc, char **argv)
{
    return pen_cli_main(argc, argv, NULL);
}
