# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the diffusers folder: Stable Diffusion 1.x's layout, float16 weights."""
import json
import os
import shutil

from diffusers import AutoencoderKL, DDIMScheduler
from safetensors.torch import load_file, save_file

from common import COLOURS, GUIDANCE, MOTIFS, STYLES

PARTS = {"scheduler": ("diffusers", "DDIMScheduler"), "text_encoder": ("transformers", "CLIPTextModel"),
         "tokenizer": ("transformers", "CLIPTokenizer"), "unet": ("diffusers", "UNet2DConditionModel"),
         "vae": ("diffusers", "AutoencoderKL")}


def _prefix(path):
    """Gives a text encoder's tensors the names that every program knows; transformers 5 leaves out
    "text_model."."""
    prefix = "text_model."
    tensors = {name if name.startswith(prefix) else prefix + name: value for name, value in load_file(path).items()}
    save_file(tensors, path, metadata={"format": "pt"})


def _forget_place(path):
    """Takes the maker's own folder out of a configuration."""
    with open(path, encoding="utf-8") as file:
        config = json.load(file)
    config.pop("_name_or_path", None)
    with open(path, "w", encoding="utf-8") as file:
        file.write(json.dumps(config, indent=2, sort_keys=True) + "\n")


def export(folder, tokenizer, vae, unet, text):
    """tokenizer, vae: folders. unet, text: models, which become float16. Each part is replaced as a whole."""
    made = folder + ".part"
    shutil.rmtree(made, ignore_errors=True)
    shutil.copytree(tokenizer, os.path.join(made, "tokenizer"))
    AutoencoderKL.from_pretrained(vae).half().save_pretrained(os.path.join(made, "vae"))
    unet.half().save_pretrained(os.path.join(made, "unet"))
    text.half().save_pretrained(os.path.join(made, "text_encoder"))
    _prefix(os.path.join(made, "text_encoder", "model.safetensors"))
    for name in ("vae", "unet", "text_encoder"):
        _forget_place(os.path.join(made, name, "config.json"))
    DDIMScheduler(num_train_timesteps=1000, beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear",
                  clip_sample=False, set_alpha_to_one=False, steps_offset=1, prediction_type="epsilon",
                  timestep_spacing="leading").save_pretrained(os.path.join(made, "scheduler"))
    with open(os.path.join(made, "model_index.json"), "w", encoding="utf-8") as file:
        json.dump({"_class_name": "StableDiffusionPipeline", **PARTS}, file, indent=1)
    with open(os.path.join(made, "penchant.json"), "w", encoding="utf-8") as file:
        json.dump({"guidance_scale": GUIDANCE, "words": [*MOTIFS, *STYLES, *COLOURS]}, file)
    os.makedirs(folder, exist_ok=True)
    for name in (*PARTS, "model_index.json", "penchant.json"):
        target = os.path.join(folder, name)
        if os.path.isdir(target):
            shutil.rmtree(target)
        os.replace(os.path.join(made, name), target)
    os.rmdir(made)
