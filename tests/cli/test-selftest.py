# SPDX-License-Identifier: GPL-3.0-or-later
"""`penchant selftest`: a good device is good, and kernels that a bad driver compiles wrongly are left out."""

import configparser
import pathlib
import sys

import tap
from program import generate, run

BUILD = pathlib.Path(sys.argv[3])
# Of the kernels that software Vulkan prefers.
KERNEL = BUILD / "shaders" / "matmul_lanes_4x3.f32.spv"


def of_cache(folder, **more):
    """Findings go to a cache of the test's own."""
    return {"XDG_CACHE_HOME": str(folder / "cache"), **more}


def bad_driver(folder, kernel):
    """The layer of tests/harness/bad-driver.c, in place of the validation layer: that one looks at the kernel as it
    was meant."""
    return of_cache(folder, VK_ADD_LAYER_PATH=str(BUILD / "tests" / "harness"), PENCHANT_VALIDATION=None,
                    VK_INSTANCE_LAYERS="VK_LAYER_PENCHANT_bad_driver", PENCHANT_WRONG_KERNEL=str(kernel))


def read_findings(verdict):
    file = configparser.ConfigParser(delimiters="=", interpolation=None)
    file.optionxform = str
    assert file.read(verdict["file"])
    return file


def device(env):
    devices = run("/nonexistent", "devices", "--json", env=env).of_type("device")
    return next(one for one in devices if one["chosen"])


def check_finds_a_good_device_good(folder):
    env = of_cache(folder)
    result = run(folder, "selftest", "--quick", "--json", env=env)
    verdict, = result.of_type("verdict")
    assert verdict["verdict"] == "good", result.out
    tests = result.of_type("test")
    assert all(test["outcome"] == "right" and test["error"] <= test["tolerance"] for test in tests), tests
    for precision in "f32", "f16":
        names = [test["name"] for test in tests if test["precision"] == precision]
        for kind in "linear", "linear backward", "conv", "attention", "attention backward", "group norm", "starter model":
            assert any(name.startswith(kind) for name in names), (kind, names)
    assert all(test["gflops"] >= 0 and test["kernel"] for test in tests if "starter" not in test["name"])
    findings = read_findings(verdict)
    assert findings["findings"]["verdict"] == "good" and not findings["findings"]["wrong"]
    assert findings["device"]["driver"] and findings["device"]["shared memory"]
    assert len(findings[verdict["kernels"] + ".f32"]) == len(tests) / 2
    assert "wrong_kernels" not in device(env)


def test_leaves_wrong_kernels_out_until_the_driver_is_mended(folder):
    env = bad_driver(folder, KERNEL)
    first = device(env)["kernels"]
    result = run(folder, "selftest", "--quick", "--json", env=env)
    verdict, = result.of_type("verdict")
    assert verdict["verdict"] == "left out" and verdict["kernels"] != first, result.out
    wrong = [test for test in result.of_type("test") if test["outcome"] == "wrong"]
    assert wrong and all(test["kernels"] == first for test in wrong), wrong
    # The starter model's VAE computes in float32 in any case.
    assert all(test["precision"] == "f32" for test in wrong if "starter" not in test["name"]), wrong
    # From then on, without another test; and the pictures are those of the next kernels.
    now = device(env)
    assert now["kernels"] == verdict["kernels"] and first + ".f32" in now["wrong_kernels"], now
    pictures = {}
    for name, more in {"found": env, "right": {"PENCHANT_KERNELS": now["kernels"]}}.items():
        generate(folder, "--precision", "f32", "--seed", "1", "--out", folder / name, env=more)
        pictures[name] = [path.read_bytes() for path in sorted((folder / name).iterdir())]
    assert pictures["found"] == pictures["right"] and pictures["found"]
    # A driver that was mended is used again as soon as it was tested.
    good = of_cache(folder)
    assert device(good)["kernels"] == now["kernels"]
    check_finds_a_good_device_good(folder)
    assert device(good)["kernels"] == first


tap.main([test_leaves_wrong_kernels_out_until_the_driver_is_mended])
