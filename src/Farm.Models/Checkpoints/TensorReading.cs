using System.Buffers;
using System.Runtime.InteropServices;
using Farm.Core;

namespace Farm.Models.Checkpoints;

/// <summary>Reads tensors as float32.</summary>
public static class TensorReading
{
    /// <summary>Reads rows, widened to float32.</summary>
    /// <exception cref="BadInputException">A value is NaN or infinite (the message names the tensor and the row), or the file cannot be read.</exception>
    public static void ReadFloats(this ICheckpointTensor tensor, int firstRow, int count, Span<float> destination)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        int values = checked(count * tensor.Columns);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(values, destination.Length, nameof(destination));
        destination = destination[..values];
        var type = tensor.DType;
        if (type == DType.F32)
        {
            tensor.Read(firstRow, count, MemoryMarshal.AsBytes(destination));
        }
        else
        {
            byte[] raw = ArrayPool<byte>.Shared.Rent(Math.Max(values * 2, 1));
            try
            {
                tensor.Read(firstRow, count, raw.AsSpan(0, values * 2));
                Widen(type, MemoryMarshal.Cast<byte, ushort>(raw.AsSpan(0, values * 2)), destination);
            }
            finally
            {
                ArrayPool<byte>.Shared.Return(raw);
            }
        }

        for (int i = 0; i < values; i++)
        {
            if (!float.IsFinite(destination[i]))
            {
                throw new BadInputException(
                    $"{tensor.File}: tensor '{tensor.Name}' has the value {destination[i]} in row {firstRow + (i / tensor.Columns)}, column {i % tensor.Columns}.");
            }
        }
    }

    /// <summary>Reads a whole tensor, widened to float32.</summary>
    /// <exception cref="BadInputException">A value is NaN or infinite, or the file cannot be read.</exception>
    public static float[] ReadFloats(this ICheckpointTensor tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        float[] values = new float[checked(tensor.Rows * tensor.Columns)];
        tensor.ReadFloats(0, tensor.Rows, values);
        return values;
    }

    private static void Widen(DType type, ReadOnlySpan<ushort> source, Span<float> destination)
    {
        if (type == DType.BF16)
        {
            for (int i = 0; i < source.Length; i++)
            {
                destination[i] = BitConverter.UInt32BitsToSingle((uint)source[i] << 16);
            }
        }
        else if (type == DType.F16)
        {
            for (int i = 0; i < source.Length; i++)
            {
                destination[i] = (float)BitConverter.UInt16BitsToHalf(source[i]);
            }
        }
        else
        {
            throw new ArgumentException($"{type.Name()} is not a type of weights", nameof(type));
        }
    }
}
