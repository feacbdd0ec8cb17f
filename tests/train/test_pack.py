"""Micro-batches: each sample once, within the token limit, and independent of the samples beside it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.train.tiny import ARCHITECTURE, PORTIONS
from train import model, samples
from train.pack import Layout, collate, divide
from train.samples import TokenizedSamples
from train.step import to_tensors


@given(
    lengths=st.lists(st.integers(1, 60), min_size=1, max_size=40), ranks=st.integers(1, 4), pack=st.booleans(),
    micro_tokens=st.integers(8, 120),
)  # fmt: skip
def test_no_sample_is_lost_or_doubled_and_no_pass_is_too_large(
    lengths: list[int], ranks: int, pack: bool, micro_tokens: int
) -> None:
    sizes = np.array(lengths)
    batch = np.arange(len(sizes))
    layouts_of = divide(batch, sizes, ranks=ranks, micro_tokens=micro_tokens, pack=pack)
    placed = [sample for layouts in layouts_of for layout in layouts for row in layout for sample in row]
    assert sorted(placed) == batch.tolist()
    assert len(layouts_of) == ranks
    assert len({len(layouts) for layouts in layouts_of}) == 1
    for layout in (layout for layouts in layouts_of for layout in layouts if layout):
        width = max(sum(int(sizes[sample]) for sample in row) for row in layout)
        alone = sum(len(row) for row in layout) == 1
        assert len(layout) * width <= micro_tokens or alone


LENGTHS = np.array([5, 3, 2, 4])


def test_layouts_by_hand() -> None:
    """Longest first, so samples 0, 3, 1, 2; a pass of 10 tokens has two rows of 5, three of 3."""

    def one_rank(lengths: np.ndarray, pack: bool) -> list[Layout]:
        return divide(np.arange(len(lengths)), lengths, ranks=1, micro_tokens=10, pack=pack)[0]

    assert one_rank(LENGTHS, True) == [((0,), (3,)), ((1, 2),)]
    assert one_rank(LENGTHS, False) == [((0,), (3,)), ((1,), (2,))]
    # A sample longer than a pass has one of its own; the rows of the others are as wide as a pass.
    assert one_rank(np.array([12, 6, 4]), True) == [((0,),), ((1, 2),)]
    assert one_rank(np.array([12, 6, 4]), False) == [((0,),), ((1,),), ((2,),)]


def test_ranks_get_about_the_same_number_of_tokens_and_of_passes() -> None:
    """5 to the first rank; 4 and 3 to the second, which has fewer; 2 to the first. Then the second is done earlier."""
    batch = np.arange(4)
    found = divide(batch, LENGTHS, ranks=2, micro_tokens=5, pack=True)
    assert found == [[((0,),), ((2,),)], [((3,),), ((1,),)]]
    assert divide(batch[:1], LENGTHS, ranks=2, micro_tokens=5, pack=True) == [[((0,),)], [()]]


def test_arrays_by_hand() -> None:
    ids = np.array([10, 11, 12, 20, 21])
    supervised = np.array([False, True, True, False, True])
    two = TokenizedSamples(("a", "b"), ids, supervised, np.array([0, 3, 5]), np.array([1, 0]))
    packed, padded = collate(((0, 1),), two, pack=True), collate(((0,), (1,)), two, pack=False)
    assert packed.ids.tolist() == [[10, 11, 12, 20, 21]]
    assert packed.position_ids is not None and packed.position_ids.tolist() == [[0, 1, 2, 0, 1]]
    assert padded.ids.tolist() == [[10, 11, 12], [20, 21, 0]] and padded.position_ids is None
    for micro in (packed, padded):
        assert micro.logit_index.tolist() == [0, 1, 3]  # 21 follows 20, the fourth place in either form
        assert micro.labels.tolist() == [11, 12, 21]
        assert micro.source.tolist() == [1, 1, 0]


@pytest.fixture(scope="module")
def data(inputs: dict[str, Path]) -> TokenizedSamples:
    return samples.load(PORTIONS, inputs)


@pytest.fixture(scope="module")
def module() -> model.TokenLoss:
    network = model.build(replace(ARCHITECTURE, max_length=512), vocabulary=400, seed=0)
    with torch.no_grad():  # large weights make a leak between samples visible in the losses
        for parameter in network.parameters():
            parameter.mul_(4)
    return model.TokenLoss(network).eval()


def losses(module: model.TokenLoss, data: TokenizedSamples, layout: Layout, pack: bool) -> torch.Tensor:
    with torch.no_grad():
        result: torch.Tensor = module(*to_tensors(collate(layout, data, pack=pack), torch.device("cpu")))
    return result


@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
@pytest.mark.parametrize(("layout", "pack"), [(((3, 11, 45),), True), (((3,), (11,), (45,)), False)])
def test_a_sample_is_blind_to_its_neighbours(
    module: model.TokenLoss, data: TokenizedSamples, layout: Layout, pack: bool, implementation: str
) -> None:
    module.model.set_attn_implementation(implementation)
    together = losses(module, data, layout, pack)
    alone = torch.cat([losses(module, data, ((sample,),), pack=False) for sample in (3, 11, 45)])
    torch.testing.assert_close(together, alone, atol=2e-5, rtol=1e-5)

    edited = replace(data, ids=data.ids.copy())
    edited.ids[data.offsets[3] + 1 : data.offsets[4]] = 399
    after = losses(module, edited, layout, pack)
    own = int(data.targets[3])
    torch.testing.assert_close(after[own:], together[own:], atol=1e-6, rtol=0)
    assert (after[:own] - together[:own]).abs().max() > 0.1
    module.model.set_attn_implementation("sdpa")


def test_targets_are_the_supervised_tokens_with_their_source(data: TokenizedSamples) -> None:
    micro = collate(((3, 45), (11,)), data, pack=True)
    span = [slice(data.offsets[sample], data.offsets[sample + 1]) for sample in (3, 45, 11)]
    assert micro.labels.tolist() == [int(x) for s in span for x in data.ids[s][data.supervised[s]]]
    assert np.bincount(micro.source).tolist() == [data.targets[3] + data.targets[11], data.targets[45]]
    assert (micro.ids.ravel()[micro.logit_index + 1] == micro.labels).all()


def test_an_empty_pass_gives_zero_gradients_to_every_weight(module: model.TokenLoss, data: TokenizedSamples) -> None:
    loss = module(*to_tensors(collate((), data, pack=True), torch.device("cpu"))).sum()
    loss.backward()
    assert float(loss.detach()) == 0
    assert all(p.grad is not None and not p.grad.any() for p in module.parameters())
    module.zero_grad()


def test_logits_only_where_needed_equal_all_logits(module: model.TokenLoss, data: TokenizedSamples) -> None:
    layout = ((3, 45), (11,))
    short = losses(module, data, layout, True)
    module.plain_head = False
    whole = losses(module, data, layout, True)
    module.plain_head = True
    torch.testing.assert_close(short, whole, atol=1e-5, rtol=1e-5)
