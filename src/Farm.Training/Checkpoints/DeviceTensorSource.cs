using System.Runtime.InteropServices;
using Farm.Core;
using Farm.Models.Checkpoints;
using Farm.Training.Model;

namespace Farm.Training.Checkpoints;

/// <summary>A tensor on the device as a tensor of a checkpoint, downloaded as it is written; with an adapter's product added where there is one.</summary>
internal sealed class DeviceTensorSource : ICheckpointTensor
{
    private readonly ITrainingBackend _backend;
    private readonly Tensor _tensor, _factorA, _factorB;
    private readonly float _scale;

    public DeviceTensorSource(
        ITrainingBackend backend, string name, IReadOnlyList<long> shape, Tensor tensor, DType type, Tensor factorA = default, Tensor factorB = default, float scale = 0)
    {
        (_backend, Name, Shape, _tensor, DType) = (backend, name, shape, tensor, type);
        (_factorA, _factorB, _scale) = (factorA, factorB, scale);
    }

    public string Name { get; }

    public string File => "memory";

    public IReadOnlyList<long> Shape { get; }

    public int Rows => _tensor.Rows;

    public int Columns => _tensor.Columns;

    public DType DType { get; }

    public void Read(int firstRow, int count, Span<byte> destination)
    {
        var rows = _tensor.SliceRows(firstRow, count);
        if (DType == DType.F32 && rows.DType == DType.F32 && _factorA.IsNone)
        {
            _backend.Download(rows, MemoryMarshal.Cast<byte, float>(destination));
            return;
        }

        var values = new float[rows.Count];
        if (rows.DType == DType.F32)
        {
            _backend.Download<float>(rows, values);
        }
        else
        {
            var narrow = new ushort[values.Length];
            _backend.Download<ushort>(rows, narrow);
            Bf16.Widen(narrow, values);
        }

        if (!_factorA.IsNone)
        {
            AddProduct(firstRow, count, values);
        }

        if (DType == DType.BF16)
        {
            Bf16.Narrow(values, MemoryMarshal.Cast<byte, ushort>(destination));
        }
        else
        {
            values.CopyTo(MemoryMarshal.Cast<byte, float>(destination));
        }
    }

    private void AddProduct(int firstRow, int count, float[] values)
    {
        using var memory = _backend.Allocate(values.Length * sizeof(float));
        var product = memory.Tensor(DType.F32, count, Columns);
        _backend.MatMul(_factorB.SliceRows(firstRow, count), false, _factorA, false, product);
        var added = new float[values.Length];
        _backend.Download<float>(product, added);
        for (int i = 0; i < values.Length; i++)
        {
            values[i] += _scale * added[i];
        }
    }
}
