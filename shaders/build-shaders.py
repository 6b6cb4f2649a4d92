#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Turns GLSL compute shaders into C: the two steps that shaders/meson.build runs.

compile  one shader with its defines: glslang, spirv-opt -O, spirv-val; writes a depfile for its includes
embed    all SPIR-V modules into one C file with the table that pen-shaders.c searches
"""

import argparse
import array
import os
import subprocess
import sys

TARGET = "vulkan1.2"


def run(command):
    """Runs a tool; its messages are shown only when it fails."""
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if result.returncode != 0:
        sys.exit("%s\n%s failed" % (result.stdout.strip(), " ".join(command)))


def compile_shader(args):
    raw, raw_deps = args.output + ".raw", args.output + ".raw.d"
    run([args.glslang, "--quiet", "-V", "--target-env", TARGET, "-S", "comp", "-I" + os.path.dirname(args.source),
         *args.defines, "--depfile", raw_deps, "-o", raw, args.source])
    optimised = args.output + ".opt"
    run([args.spirv_opt, "--target-env=" + TARGET, "-O", raw, "-o", optimised])
    run([args.spirv_val, "--target-env", TARGET, optimised])
    with open(raw_deps) as deps:
        # glslang names its own output; ninja wants the name it knows.
        sources = deps.read().split(":", 1)[1]
    with open(args.depfile, "w") as deps:
        deps.write(args.output + ":" + sources)
    os.remove(raw)
    os.remove(raw_deps)
    os.replace(optimised, args.output)


def embed(args):
    modules = sorted((os.path.basename(path).removesuffix(".spv"), path) for path in args.modules)
    lines = ["/* Made by build-shaders.py. */", '#include "shaders/pen-shaders.h"', ""]
    entries = []
    for number, (name, path) in enumerate(modules):
        words = array.array("I")
        with open(path, "rb") as module:
            words.frombytes(module.read())
        lines.append("static const uint32_t words_%d[] = {" % number)
        for start in range(0, len(words), 12):
            lines.append("".join("%#x," % word for word in words[start:start + 12]))
        lines.append("};")
        entries.append('    { "%s", words_%d, sizeof words_%d },' % (name, number, number))
    lines += ["", "const PenShader pen_shaders[] = {", *entries, "};", "const size_t pen_n_shaders = %d;" % len(modules)]
    with open(args.output, "w") as output:
        output.write("\n".join(lines) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    steps = parser.add_subparsers(required=True)
    step = steps.add_parser("compile")
    for tool in ("glslang", "spirv-opt", "spirv-val", "depfile"):
        step.add_argument("--" + tool, required=True)
    step.add_argument("source")
    step.add_argument("output")
    step.add_argument("defines", nargs="*")
    step.set_defaults(run=compile_shader)
    step = steps.add_parser("embed")
    step.add_argument("output")
    step.add_argument("modules", nargs="+")
    step.set_defaults(run=embed)
    args = parser.parse_args()
    args.run(args)


main()
