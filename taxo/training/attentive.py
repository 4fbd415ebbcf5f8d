"""Networks that attend: a vision transformer for images, and a recurrent network for texts."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional

PATCH, WIDTH, DEPTH, HEADS = 16, 384, 12, 6
WORD, STATE = 128, 128


class Patches(nn.Module):
    """Images as tokens: one of each patch, behind one for the class, with their places added."""

    def __init__(self, channels: int, height: int, width: int) -> None:
        super().__init__()
        self.patch = min(PATCH, height, width)
        self.project = nn.Conv2d(channels, WIDTH, self.patch, self.patch)
        count = (height // self.patch) * (width // self.patch)
        self.token = nn.Parameter(torch.zeros(1, 1, WIDTH))
        self.places = nn.Parameter(nn.init.trunc_normal_(torch.empty(1, count + 1, WIDTH), std=0.02))

    def forward(self, x: Tensor) -> Tensor:
        """Tokens [B, T, D]."""
        tokens = self.project(x).flatten(2).transpose(1, 2)
        return torch.cat([self.token.expand(len(x), -1, -1), tokens], 1) + self.places


class Attention(nn.Module):
    """Every token looks at all, through several heads."""

    def __init__(self) -> None:
        super().__init__()
        self.ask = nn.Linear(WIDTH, 3 * WIDTH)
        self.answer = nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens of the same shape."""
        parts = self.ask(x).unflatten(2, (3, HEADS, WIDTH // HEADS)).permute(2, 0, 3, 1, 4)
        found = functional.scaled_dot_product_attention(parts[0], parts[1], parts[2])
        return self.answer(found.transpose(1, 2).flatten(2))


class Encoder(nn.Module):
    """One layer of a transformer, its norms first."""

    def __init__(self) -> None:
        super().__init__()
        self.first_norm = nn.LayerNorm(WIDTH, eps=1e-6)
        self.attention = Attention()
        self.second_norm = nn.LayerNorm(WIDTH, eps=1e-6)
        self.mlp = nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        """Tokens of the same shape."""
        x = x + self.attention(self.first_norm(x))
        return x + self.mlp(self.second_norm(x))


class First(nn.Module):
    """The norm of the class's token."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(WIDTH, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        """One row for each image."""
        return self.norm(x[:, 0])


def vit(channels: int, height: int, width: int, classes: int) -> nn.Module:
    """The small vision transformer with patches of 16 pixels (Touvron et al. 2021)."""
    layers: dict[str, nn.Module] = {f"layer{number}": Encoder() for number in range(1, DEPTH + 1)}
    parts = {"stem": Patches(channels, height, width), **layers, "norm": First()}
    model = nn.Sequential(OrderedDict[str, nn.Module](parts | {"fc": nn.Linear(WIDTH, classes)}))
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.trunc_normal_(module.weight, std=0.02)
            nn.init.zeros_(module.bias)
    return model


class Recurrent(nn.Module):
    """A text read in both directions, and the mean of what was understood at each word, by attention.

    Texts are rows of word numbers, behind whose end there are zeros. Each direction begins at a word, so that
    what a text comes to does not depend on how long the others are.
    """

    def __init__(self, words: int, classes: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, WORD, padding_idx=0)
        self.onward = nn.LSTM(WORD, STATE, batch_first=True)
        self.backward_ = nn.LSTM(WORD, STATE, batch_first=True)
        self.attention = nn.Sequential(
            nn.Linear(2 * STATE, STATE), nn.Tanh(), nn.Linear(STATE, 1, bias=False)
        )
        self.fc = nn.Linear(2 * STATE, classes)

    def forward(self, x: Tensor) -> Tensor:
        """One row of logits for each text."""
        there, h = x != 0, self.embedding(x)
        back = _backwards(there)[:, :, None]
        onward, _ = self.onward(h)
        turned, _ = self.backward_(h.take_along_dim(back, 1))
        states = torch.cat([onward, turned.take_along_dim(back, 1)], 2)
        score = self.attention(states)[:, :, 0].masked_fill(~there, torch.finfo(states.dtype).min)
        return self.fc((score.softmax(1)[:, :, None] * states).sum(1))


class Masked(nn.Module):
    """A model of tokens, and which of them stand for nothing: those behind the end of a text."""

    def __init__(self, body: nn.Module, nothing: int) -> None:
        super().__init__()
        self.body = body
        self.nothing = nothing

    def forward(self, x: Tensor) -> Tensor:
        """One row of logits for each text."""
        return self.body(input_ids=x, attention_mask=(x != self.nothing).long()).logits


def _backwards(there: Tensor) -> Tensor:
    """For each place the one it changes with as the words, but not the zeros behind, are turned round."""
    place = torch.arange(there.shape[1], device=there.device)
    return torch.where(there, there.sum(1, keepdim=True) - 1 - place, place)
