"""Kernel machines on the vectors of photos and on columns: what a stack combines with boosted trees."""

from mixed_data.kernels.kernel_machines import KernelMachines

__all__ = ["KernelMachines"]
