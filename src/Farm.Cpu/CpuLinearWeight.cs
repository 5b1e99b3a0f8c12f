using Farm.Core;

namespace Farm.Cpu;

/// <summary>A weight in panels of 16 output features; the layout stands in farm_native.h.</summary>
internal sealed class CpuLinearWeight : LinearWeight
{
    private readonly CpuMemory _data;
    private readonly CpuMemory? _scales;
    private Native.Weight _native;

    internal CpuLinearWeight(int inFeatures, int outFeatures, DType type, LinearLayout layout)
    {
        bool gateUp = layout == LinearLayout.GateUp;
        int panels = (outFeatures + 15) / 16 * (gateUp ? 2 : 1);
        _data = CpuMemory.Create(Math.Max(Native.farm_weight_data_bytes((int)type, inFeatures, panels), 64));
        long scaleBytes = Native.farm_weight_scale_bytes((int)type, inFeatures, panels);
        _scales = scaleBytes > 0 ? CpuMemory.Create(scaleBytes) : null;
        _native = new Native.Weight
        {
            Data = _data.Address,
            Scales = _scales?.Address ?? 0,
            DType = (int)type,
            InFeatures = inFeatures,
            OutFeatures = outFeatures,
            Panels = panels,
            GateUp = gateUp ? 1 : 0,
        };
    }

    public override int InFeatures => _native.InFeatures;

    public override int OutFeatures => _native.OutFeatures;

    public override DType DType => (DType)_native.DType;

    public override LinearLayout Layout => _native.GateUp != 0 ? LinearLayout.GateUp : LinearLayout.Concatenated;

    public override long Bytes => _data.Bytes + (_scales?.Bytes ?? 0);

    internal ref readonly Native.Weight Handle
    {
        get
        {
            ObjectDisposedException.ThrowIf(_data.Address == 0, this);
            return ref _native;
        }
    }

    protected override void Dispose(bool disposing)
    {
        _data.Dispose();
        _scales?.Dispose();
    }
}
