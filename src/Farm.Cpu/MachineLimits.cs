namespace Farm.Cpu;

/// <summary>What this machine was measured to do with the backend's threads: the yardsticks that speeds are reported against.</summary>
/// <param name="ReadBytesPerSecond">Reading memory far larger than the caches.</param>
/// <param name="FlopsPerSecond">Float32 fused multiply-adds in registers, two operations each.</param>
/// <param name="Int8OperationsPerSecond">int8 dot products in registers, a multiply-add counted as two.</param>
/// <param name="Bf16FlopsPerSecond">bf16 dot products in registers; 0 where the CPU has none.</param>
public readonly record struct MachineLimits(double ReadBytesPerSecond, double FlopsPerSecond, double Int8OperationsPerSecond, double Bf16FlopsPerSecond);
