"""Statistics of pictures to fingerprints on the device, by the maps of one group of codecs.

Letters: P pictures, K readings of each, C codecs of the group, F statistics, B directions of the
basis, D fingerprint size.
"""

from collections.abc import Mapping

import numpy as np
import torch

from fingerprint_db.conditions import Codec
from worker.extractor.document import Group, codecs_of
from worker.extractor.fingerprint_map import CodecMap, Floats
from worker.extractor.on_device.statistics import finished


class GroupMaps:
    """What a group's codecs share, and the maps of all of them beside one another."""

    def __init__(self, maps: Mapping[Codec, CodecMap], group: Group, device: torch.device) -> None:
        self.codecs = codecs_of(group)
        own = [maps[codec] for codec in self.codecs]
        self.blocks, self._clip = own[0].blocks, own[0].clip

        def moved(array: Floats) -> torch.Tensor:
            return torch.from_numpy(np.ascontiguousarray(array)).to(device)

        self._mean = moved(np.stack([one.mean for one in own]))  # (C, F)
        self._scale = moved(np.stack([one.scale for one in own]))
        self._basis = moved(own[0].basis)  # (F, B)
        self._projections = moved(np.hstack([one.projection for one in own]))  # (B, C D)
        self._offset = moved(np.stack([one.offset for one in own]))  # (C, D)

    def fingerprints(
        self, sums: torch.Tensor, codecs: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Standardised statistics (P, K, F) and fingerprints (P, K, D), float32.

        Of sums (P, S) of pictures and the places (P, K) of their readings' codecs in the group. All
        codecs' products are computed, so that the work does not depend on which are asked for.
        """
        statistics = finished(sums, self.blocks)[:, None]  # (P, 1, F)
        standard = (statistics - self._mean[codecs]) / self._scale[codecs]
        standard.clamp_(-self._clip, self._clip)  # (P, K, F)
        led = torch.matmul(standard, self._basis)  # (P, K, B)
        every = torch.matmul(led, self._projections)  # (P, K, C D)
        every = every.view(*codecs.shape, *self._offset.shape)  # (P, K, C, D)
        places = codecs[:, :, None, None].expand(-1, -1, 1, every.shape[3])
        return standard, every.gather(2, places).squeeze(2) + self._offset[codecs]
