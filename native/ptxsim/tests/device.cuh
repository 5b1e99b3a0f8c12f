// The little that the simulator's own test kernels need of the device.
#pragma once
#define __global__ __attribute__((global))
#define __device__ __attribute__((device))
#define __shared__ __attribute__((shared))
#define __constant__ __attribute__((constant))
#define __launch_bounds__(...) __attribute__((launch_bounds(__VA_ARGS__)))

using u8 = unsigned char;
using u16 = unsigned short;
using u32 = unsigned int;
using u64 = unsigned long long;
using u32x4 = u32 __attribute__((ext_vector_type(4)));

__device__ inline u32 tid() {
    return __nvvm_read_ptx_sreg_tid_x();
}
__device__ inline u32 ntid() {
    return __nvvm_read_ptx_sreg_ntid_x();
}
__device__ inline u32 cta() {
    return __nvvm_read_ptx_sreg_ctaid_x();
}
__device__ inline u32 shared_address(const void* p) {
    return (u32)(__UINTPTR_TYPE__)(__attribute__((address_space(3))) const void*)p;
}
__device__ inline u32 pack_bf16(float low, float high) {
    u32 r;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(high), "f"(low));
    return r;
}
__device__ inline void copy16(void* to, const void* from, u32 bytes = 16) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(to)), "l"(from), "r"(bytes)
                 : "memory");
}
__device__ inline void commit() {
    asm volatile("cp.async.commit_group;" ::: "memory");
}
template <int N>
__device__ inline void wait() {
    asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory");
}
