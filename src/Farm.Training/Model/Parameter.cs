using Farm.Core;

namespace Farm.Training.Model;

/// <summary>A parameter on the device.</summary>
/// <param name="Slot">What it is.</param>
/// <param name="Value">F32 [Rows, Columns]; BF16 where a frozen matrix is held so.</param>
/// <param name="Compute">What products read: <paramref name="Value"/>, or its BF16 copy.</param>
/// <param name="Gradient">F32 like the value; none for a frozen parameter.</param>
public sealed record Parameter(Slot Slot, Tensor Value, Tensor Compute, Tensor Gradient)
{
    /// <summary>The view of one of the slot's parts on a tensor of the slot's shape; none stays none.</summary>
    public Tensor View(SlotPart part, Tensor tensor)
    {
        ArgumentNullException.ThrowIfNull(part);
        return tensor.IsNone ? tensor : Slot.IsMatrix ? tensor.SliceRows(part.First, part.Count) : tensor.SliceColumns(part.First, part.Count);
    }
}
