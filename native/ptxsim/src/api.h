// The result codes and constants of the driver API that the simulator knows, by their published values.
#pragma once
#include "lanes.h"

#define PTXSIM_EXPORT extern "C" __attribute__((visibility("default")))

namespace ptxsim {

enum class Result : int {
    Success = 0,
    InvalidValue = 1,
    OutOfMemory = 2,
    NotInitialized = 3,
    Deinitialized = 4,
    NoDevice = 100,
    InvalidDevice = 101,
    InvalidImage = 200,
    InvalidContext = 201,
    InvalidPtx = 218,
    UnsupportedPtxVersion = 222,
    NoBinaryForGpu = 209,
    InvalidHandle = 400,
    IllegalState = 401,
    NotFound = 500,
    NotReady = 600,
    IllegalAddress = 700,
    LaunchOutOfResources = 701,
    LaunchTimeout = 702,
    IllegalInstruction = 715,
    MisalignedAddress = 716,
    Assert = 710,
    LaunchFailed = 719,
    NotSupported = 801,
    StreamCaptureUnsupported = 900,
    StreamCaptureInvalidated = 901,
    StreamCaptureUnmatched = 903,
    StreamCaptureImplicit = 906,
    DeviceLost = 46,  // CUDA_ERROR_DEVICE_UNAVAILABLE
    Unknown = 999,
};

}  // namespace ptxsim
