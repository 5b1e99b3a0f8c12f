using Farm.Core;
using Farm.Models.Checkpoints;

namespace Farm.Models.Llama;

/// <summary>Looks tensors up and says in one sentence what is wrong with them.</summary>
internal static class CheckpointTensors
{
    /// <summary>The tensor <paramref name="name"/>, which must be [rows, columns]; a vector is one row.</summary>
    /// <exception cref="BadInputException">It is missing or has another shape.</exception>
    public static ICheckpointTensor Require(ICheckpoint checkpoint, string name, int rows, int columns)
    {
        if (!checkpoint.Tensors.TryGetValue(name, out var tensor))
        {
            throw new BadInputException($"{checkpoint.Folder} has no tensor {name}, which config.json asks for.");
        }

        if (tensor.Rows != rows || tensor.Columns != columns)
        {
            throw new BadInputException(
                $"{tensor.File}: {name} is [{string.Join(", ", tensor.Shape)}], but config.json makes it {(rows == 1 ? $"[{columns}]" : $"[{rows}, {columns}]")}.");
        }

        return tensor;
    }
}
