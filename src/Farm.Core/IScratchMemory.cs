namespace Farm.Core;

/// <summary>A backend whose operations take memory of the device beside their operands, in a block that all of them share.</summary>
public interface IScratchMemory
{
    /// <summary>
    /// The most that one of some operations takes beside its operands. Nothing runs and nothing is allocated: the operands are shapes, <see cref="Shape"/> and
    /// <see cref="WeightOfShape"/>, and what an operation returns means nothing.
    /// </summary>
    /// <param name="operations">Calls the operations on this backend.</param>
    /// <returns>Bytes.</returns>
    long ScratchFor(Action operations);

    /// <summary>A contiguous tensor without memory behind it, for <see cref="ScratchFor"/> alone.</summary>
    Tensor Shape(DType type, int rows, int columns);

    /// <summary>A packed weight without memory behind it, for <see cref="ScratchFor"/> alone; its <see cref="LinearWeight.Bytes"/> are what <see cref="IBackend.PackLinear"/> takes for one of this shape.</summary>
    /// <param name="inFeatures">Columns.</param>
    /// <param name="outFeatures">Rows; of each part where gates and ups alternate.</param>
    /// <param name="storage">How it is held.</param>
    /// <param name="layout">How its parts lie.</param>
    LinearWeight WeightOfShape(int inFeatures, int outFeatures, DType storage, LinearLayout layout = LinearLayout.Concatenated);

    /// <summary>Allocates that block once, so that operations of up to so many bytes never let it grow, which takes the old block and the new one at a time.</summary>
    /// <exception cref="BadInputException">The device has not so much left.</exception>
    void ReserveScratch(long bytes);
}
