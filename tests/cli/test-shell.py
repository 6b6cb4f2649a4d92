# SPDX-License-Identifier: GPL-3.0-or-later
"""What a shell and a reader are told: completion, the man page, --version."""

import re
import subprocess

from program import PROGRAM, ROOT, run
from tap import main


def offered(folder, *words):
    return run(folder, "--complete", *words).out.splitlines()


def test_completion_of_commands(folder):
    assert offered(folder, "te") == ["teach"]
    assert {"generate", "pick", "teach", "style"} <= set(offered(folder, ""))
    assert offered(folder, "style", "ex") == ["export"]
    assert offered(folder, "--quiet", "--device", "pick", "sel") == ["selftest"]


def test_completion_of_options(folder):
    assert offered(folder, "generate", "--guidance") == ["--guidance", "--guidance-rescale"]
    assert "--preset" in offered(folder, "teach", "--")
    assert "--version" in offered(folder, "--") and "--data" in offered(folder, "undo", "--")
    assert offered(folder, "generate", "--precision", "") == ["f32", "f16"]
    assert offered(folder, "generate", "--sampler", "Euler") == ["Euler", "Euler a"]
    assert offered(folder, "generate", "--from", "") == [], "any file would do"


def test_completion_of_styles(folder):
    assert offered(folder, "generate", "--style", "") == []
    assert not (folder / "penchant.db").exists(), "completion makes no store"
    run(folder, "style", "create", "Ink and wash")
    run(folder, "style", "create", "Öl")
    assert offered(folder, "generate", "--style", "In") == ["Ink and wash"]
    assert offered(folder, "style", "export", "Ö") == ["Öl"]
    assert offered("/none", "--data", folder, "teach", "--style", "Ö") == ["Öl"]
    assert offered("/none", "teach", "--data", folder, "--style", "Ö") == ["Öl"]
    script = """source "$1" && PENCHANT_DATA="$3" && export PENCHANT_DATA
        COMP_WORDS=("$2" generate --style In) COMP_CWORD=3 && _penchant && printf '%s\\n' "${COMPREPLY[@]}"
        COMP_WORDS=("$2" ge) COMP_CWORD=1 && _penchant && printf '%s\\n' "${COMPREPLY[@]}" """
    done = subprocess.run(["bash", "-c", script, "bash", ROOT / "src/cli/completion.bash", PROGRAM, folder],
                          capture_output=True, text=True, check=True)
    assert done.stdout == "Ink\\ and\\ wash\ngenerate\n", done.stdout


def test_the_man_page_names_every_command_and_option(folder):
    page = (ROOT / "docs/man/penchant.1").read_text().replace("\\-", "-")
    missing = []

    def look(words):
        for option in offered(folder, *words, "--"):
            if not re.search(re.escape(option) + r"(?![a-z-])", page):
                missing.append(" ".join([*words, option]))
        commands = [word for word in offered(folder, *words, "") if re.fullmatch("[a-z]+", word)]
        told = run(folder, *words, "--help").out.split() if commands else []
        for command in commands:
            if command in told:
                if not re.search(r"\b%s\b" % command, page):
                    missing.append(" ".join([*words, command]))
                look([*words, command])

    look([])
    assert not missing, missing


def test_version(folder):
    lines = run(folder, "--version").out.splitlines()
    assert re.fullmatch(r"penchant \d+\.\d+\.\d+", lines[0]), lines
    facts = dict(line.split(": ", 1) for line in lines[1:])
    assert set(facts) == {"store format", "libraries", "kernels", "device"}, lines
    assert all(name in facts["libraries"] for name in ["GLib", "SQLite", "libpng", "Little CMS", "json-glib"])
    assert "Vulkan 1." in facts["device"] and int(facts["kernels"].split()[0]) > 50
    # Without any driver the rest is still said.
    lines = run(folder, "--version", env={"VK_DRIVER_FILES": "/none", "VK_ICD_FILENAMES": "/none"}).out.splitlines()
    assert len(lines) == 5 and lines[4].startswith("device: "), lines


main([test_completion_of_commands, test_completion_of_options, test_completion_of_styles,
      test_the_man_page_names_every_command_and_option, test_version])
