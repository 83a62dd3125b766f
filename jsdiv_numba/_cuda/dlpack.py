"""Memory that another package describes by DLPack, described as `__cuda_array_interface__` does."""

import ctypes
from typing import Any

CUDA, CUDA_MANAGED = 2, 13
"""Kinds of devices, in DLPack's numbers."""

_TYPES = {0: "i", 1: "u", 2: "f", 5: "c", 6: "b"}


class _Tensor(ctypes.Structure):
    _fields_ = (
        ("data", ctypes.c_void_p),
        ("device_type", ctypes.c_int32),
        ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("type_code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    )


def device_of(values: Any) -> int | None:
    """Return the CUDA device whose memory an object offers, if any."""
    if not hasattr(values, "__dlpack_device__") or not hasattr(values, "__dlpack__"):
        return None
    kind, number = values.__dlpack_device__()
    return int(number) if int(kind) in {CUDA, CUDA_MANAGED} else None


def interface_of(name: str, values: Any) -> tuple[dict[str, Any], Any]:
    """Return the description, and what keeps the memory alive.

    The memory is ready for the default stream.
    """
    legacy_default_stream = 1
    try:
        capsule = values.__dlpack__(stream=legacy_default_stream)
    except (BufferError, RuntimeError) as error:
        raise TypeError(f"{name} is a {type(values).__name__} without an array: {error}") from None
    pointer_of = ctypes.pythonapi.PyCapsule_GetPointer
    pointer_of.restype, pointer_of.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    tensor = _Tensor.from_address(pointer_of(capsule, b"dltensor"))
    if tensor.type_code not in _TYPES or tensor.lanes != 1 or tensor.bits % 8:
        raise TypeError(f"{name} has a dtype that NumPy has not; pass float32 or float64")
    itemsize = tensor.bits // 8
    interface = {
        "shape": tuple(tensor.shape[i] for i in range(tensor.ndim)),
        "typestr": f"<{_TYPES[tensor.type_code]}{itemsize}",
        "data": ((tensor.data or 0) + tensor.byte_offset, False),
        "strides": tuple(tensor.strides[i] * itemsize for i in range(tensor.ndim))
        if tensor.strides
        else None,
        "version": 3,
    }
    return interface, (capsule, values)
