using System.Runtime.InteropServices;
using Farm.Core;

namespace Farm.Reference;

/// <summary>Reads and writes rows of tensors in host memory; arithmetic on what is read happens in double.</summary>
internal static class TensorIO
{
    public static double[] ReadRow(Tensor tensor, int row) => Array.ConvertAll(ReadRowSingle(tensor, row), x => (double)x);

    public static float[] ReadRowSingle(Tensor tensor, int row)
    {
        var values = new float[tensor.Columns];
        if (tensor.DType == DType.F32)
        {
            Marshal.Copy(AddressOf(tensor, row), values, 0, values.Length);
            return values;
        }

        var bits = new short[tensor.Columns];
        Marshal.Copy(AddressOf(tensor, row), bits, 0, bits.Length);
        return Array.ConvertAll(bits, b => BFloat16.Value((ushort)b));
    }

    public static double[][] ReadRows(Tensor tensor)
    {
        var rows = new double[tensor.Rows][];
        for (int t = 0; t < rows.Length; t++)
        {
            rows[t] = ReadRow(tensor, t);
        }

        return rows;
    }

    public static int[] ReadInts(Tensor tensor, int row = 0)
    {
        var values = new int[tensor.Columns];
        Marshal.Copy(AddressOf(tensor, row), values, 0, values.Length);
        return values;
    }

    public static void WriteRow(Tensor tensor, int row, double[] values) =>
        WriteRow(tensor, row, Array.ConvertAll(values, x => (float)x));

    public static void WriteRow(Tensor tensor, int row, float[] values)
    {
        if (tensor.DType == DType.F32)
        {
            Marshal.Copy(values, 0, AddressOf(tensor, row), values.Length);
            return;
        }

        Marshal.Copy(Array.ConvertAll(values, x => (short)BFloat16.Bits(x)), 0, AddressOf(tensor, row), values.Length);
    }

    public static void WriteInts(Tensor tensor, int row, int[] values) =>
        Marshal.Copy(values, 0, AddressOf(tensor, row), values.Length);

    public static byte[] ReadBytes(Tensor tensor, int row)
    {
        var bytes = new byte[tensor.Columns * tensor.DType.Size()];
        Marshal.Copy(AddressOf(tensor, row), bytes, 0, bytes.Length);
        return bytes;
    }

    public static void WriteBytes(Tensor tensor, int row, byte[] bytes) =>
        Marshal.Copy(bytes, 0, AddressOf(tensor, row), bytes.Length);

    private static nint AddressOf(Tensor tensor, int row) =>
        tensor.Address + (nint)((long)row * tensor.Stride * tensor.DType.Size());
}
