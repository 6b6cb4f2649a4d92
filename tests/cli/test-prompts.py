# SPDX-License-Identifier: GPL-3.0-or-later
"""Prompts as people write them: weights, chunks, adapters and embeddings by name; the same in drawing and in teaching."""

import array
import json
import shutil
import sys

from program import DATA, ONE_PASS, TINY, l2_error, max_error, run, tensors
from tap import main

sys.path.append(str(DATA.parent / "tools"))
import ldm_file  # noqa: E402

GOLDEN = DATA / "golden"
PROMPTS = GOLDEN / "prompts"
LAYER = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q"


def make(folder, prompt, *words, status=0):
    return run(folder, "generate", "--quiet", "--prompt", prompt, "--count", "1", "--seed", "3", *TINY, *words, status=status)


def latents(folder, done):
    return tensors(folder / "rounds" / done.out.strip() / "0.safetensors")["latents"][1]


def drawn(folder, prompt, *words):
    return latents(folder, make(folder, prompt, *words))


def hidden(folder, shape, prompt, *words, name="hidden"):
    run(folder, "probe", "prompt", "--model", GOLDEN / shape / "model", "--prompt", prompt, "--out",
        folder / "out.safetensors", *words)
    return tensors(folder / "out.safetensors")[name]


def test_golden_embeddings(folder):
    (folder / "models" / "embeddings").mkdir(parents=True)
    shutil.copy(PROMPTS / "mystyle.safetensors", folder / "models" / "embeddings")
    expected = tensors(PROMPTS / "hidden.safetensors")
    for number, case in enumerate(json.loads((PROMPTS / "prompts.json").read_text())):
        shape, values = expected["hidden.%d" % number]
        found_shape, found = hidden(folder, case["model"], case["prompt"], "--clip-skip", case["clip_skip"])
        assert found_shape == [1, *shape], (case, found_shape, shape)
        assert max_error(values, found) < 2e-4, (case, max_error(values, found))


def test_weights_draw_another_picture(folder):
    plain, weighted = drawn(folder, "a bird, neon"), drawn(folder, "a bird, (neon:1.6)")
    assert l2_error(plain, weighted) > 1e-3
    assert drawn(folder, "a bird, (neon:1.0)") == drawn(folder, "a bird, neon")
    assert max_error(drawn(folder, "((neon))"), drawn(folder, "(neon:1.21)")) < 1e-5
    # Escaped brackets are brackets; so are all of them by one setting.
    words = drawn(folder, "a (bird)", "--words")
    assert words == drawn(folder, "a \\(bird\\)") and l2_error(words, drawn(folder, "a (bird)")) > 1e-4
    rows = run(folder, "history", "--limit", "3", "--json").of_type("round")
    assert [(row["prompt"], row["words"]) for row in rows] == [("a (bird)", False), ("a \\(bird\\)", False),
                                                              ("a (bird)", True)]


def test_long_prompts_in_chunks(folder):
    long = ", ".join(["a bird on a tree"] * 30)
    done = make(folder, long)
    assert "left out" not in done.err, done.err
    # What stands behind the first 75 tokens counts, in both prompts.
    assert l2_error(latents(folder, done), drawn(folder, long + ", neon")) > 1e-5
    assert l2_error(latents(folder, done), drawn(folder, long, "--negative", "dull")) > 1e-5
    assert l2_error(drawn(folder, "a bird"), drawn(folder, "a bird", "--negative", long)) > 1e-5
    assert l2_error(drawn(folder, "a bird BREAK a cat"), drawn(folder, "a bird a cat")) > 1e-5
    assert "left out" in make(folder, long, "--words").err
    assert "left out" in make(folder, "a bird, " * 2000).err


def adapter(folder, name, seed):
    path = folder / "models" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    ldm_file.write_kohya(path, [(LAYER, 128, 128, 4, 4)], seed)
    return path


def test_adapters_by_name(folder):
    ink = adapter(folder, "ink.safetensors", 1)
    adapter(folder, "Lora/Deep One.safetensors", 2)
    plain = drawn(folder, "a bird")
    expected = drawn(folder, "a bird", "--lora", "%s:0.8" % ink)
    assert l2_error(plain, expected) > 1e-4
    assert drawn(folder, "a bird<lora:ink:0.8>") == expected == drawn(folder, "<lora:INK:0.8>a bird")
    assert l2_error(plain, drawn(folder, "a bird <lora:Deep One>")) > 1e-4
    # A tag of what is not there is said, and is not drawn as words.
    done = make(folder, "a bird <lora:nobody:1>")
    assert "<lora:nobody:1>" in done.err and latents(folder, done) == plain, done.err
    # Recorded is what was typed; what is picked teaches a style of the model with the adapter.
    made = run(folder, "generate", "--prompt", "a bird <lora:ink:0.8>", "--count", "2", *TINY).out.strip()
    row, = run(folder, "history", "--limit", "1", "--json").of_type("round")
    assert row["prompt"] == "a bird <lora:ink:0.8>"
    run(folder, "pick", made, "--best", "0")
    run(folder, "teach", "--style", "both", *ONE_PASS, "--seed", "1")
    assert max_error(expected, drawn(folder, "a bird", "--style", "both", "--style-strength", "0")) < 1e-5
    assert "will not teach" not in make(folder, "a bird <lora:ink:0.8>", "--style", "both").err


def test_embeddings_by_name(folder):
    width = 0
    for path in (DATA.parent.parent / "models/starter/text_encoder").glob("*.safetensors"):
        width = ldm_file.read(path)["text_model.embeddings.token_embedding.weight"][1][1]
    write = lambda name, tensors: ldm_file.write(folder / "models" / name, tensors)
    rows = lambda n, size, value: ("F32", [n, size], array.array("f", [value * (i % 7 - 3) for i in range(n * size)]).tobytes())
    (folder / "models" / "embeddings").mkdir(parents=True)
    write("glow.safetensors", {"emb_params": rows(2, width, 0.1)})
    write("embeddings/learned_embeds.safetensors", {"<toy>": ("F32", [width], rows(1, width, 0.2)[2])})
    write("foreign.safetensors", {"emb_params": rows(1, width + 8, 0.1)})
    write("for-two.safetensors", {"clip_l": rows(1, width, 0.1), "clip_g": rows(1, 2 * width, 0.1)})
    # As A1111 wrote them, and OneTrainer, with rows for behind the encoder.
    write("embeddings/any.safetensors", {"*": rows(1, width, 0.3)})
    write("embeddings/both.safetensors", {"emb_params": rows(1, width, 0.3), "emb_params_out": rows(1, width, 0.4)})
    assert drawn(folder, "a bird, any") == drawn(folder, "a bird, both") != drawn(folder, "a bird, *")
    plain = drawn(folder, "a bird,")
    glow = drawn(folder, "a bird, glow")
    (folder / "models" / "glow.safetensors").rename(folder / "models" / "other.safetensors")
    words = drawn(folder, "a bird, glow")
    assert l2_error(words, glow) > 1e-4 and drawn(folder, "a bird, OTHER") == glow == drawn(folder, "a bird, embedding:other")
    assert l2_error(plain, drawn(folder, "a bird, <toy>")) > 1e-4
    assert drawn(folder, "a bird, <toy>") == drawn(folder, "a bird, learned_embeds")
    for prompt, said in [("a bird, foreign", "another kind"), ("a bird, for-two", "another kind"),
                         ("a bird, embedding:nothing", "nothing")]:
        done = make(folder, prompt)
        assert said in done.err and latents(folder, done) == plain, (prompt, done.err)


def test_what_is_not_understood_is_said_once(folder):
    plain = drawn(folder, "a bird, neon")
    for prompt, part in [("a bird, [cat:dog:0.5] neon", "[cat:dog:0.5]"), ("a bird, {red|blue} neon", "{red|blue}"),
                         ("a bird), neon", ")"), ("a bird, <hypernet:x:1>neon", "<hypernet:x:1>")]:
        done = make(folder, prompt)
        said = [line for line in done.err.splitlines() if "Not understood" in line]
        assert len(said) == 1 and said[0].endswith(": " + part), (prompt, done.err)
        assert latents(folder, done) == plain, prompt
    assert "Not understood" not in make(folder, "a (bird:1.2), [neon] \\(x\\)").err


def test_clip_skip(folder):
    plain = drawn(folder, "a bird")
    assert drawn(folder, "a bird", "--clip-skip", "1") == plain
    assert l2_error(plain, drawn(folder, "a bird", "--clip-skip", "2")) > 1e-4
    row, = run(folder, "history", "--limit", "1", "--json").of_type("round")
    assert row["clip_skip"] == 2
    assert "--clip-skip" in make(folder, "a bird", "--clip-skip", "0", status=2).err
    # A picture's settings bring it back.
    again = run(folder, "generate", "--settings-of", folder / "rounds" / str(row["round"]) / "0.png", "--count", "1").out.strip()
    assert (folder / "rounds" / again / "0.png").read_bytes() == (folder / "rounds" / str(row["round"]) / "0.png").read_bytes()


def test_teaching_reads_prompts_as_they_were_drawn(folder):
    """The first step's log-ratios are exactly 0 and the loss ln 2 whatever the prompt; what is learnt differs."""
    learnt = {}
    for name, prompt, words in [("plain", "a bird, neon", []), ("weighted", "a bird, (neon:1.8)", []),
                                ("long", ", ".join(["a bird, neon"] * 20), []), ("skip", "a bird, neon", ["--clip-skip", "2"])]:
        data = folder / name
        run(data, "generate", "--prompt", prompt, "--count", "2", "--seed", "5", *TINY, "--steps", "4", *words)
        run(data, "pick", "1", "--best", "1")
        taught = run(data, "teach", "--style", "ink", *ONE_PASS, "--seed", "1", "--json")
        assert abs(taught.of_type("step")[0]["loss"] - 0.693147) < 1e-3, taught.out
        version, = (data / "styles").rglob("v1.safetensors")
        # What the word says; what reads the text is of the model alone.
        learnt[name] = [value for tensor, (shape, values) in tensors(version).items() if "lora_B" in tensor for value in values]
    for name in ["weighted", "long", "skip"]:
        assert l2_error(learnt["plain"], learnt[name]) > 1e-3, name


main([test_golden_embeddings, test_weights_draw_another_picture, test_long_prompts_in_chunks, test_adapters_by_name,
      test_embeddings_by_name, test_what_is_not_understood_is_said_once, test_clip_skip,
      test_teaching_reads_prompts_as_they_were_drawn])
