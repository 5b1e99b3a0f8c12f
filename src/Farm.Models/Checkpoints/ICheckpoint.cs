using Farm.Core;

namespace Farm.Models.Checkpoints;

/// <summary>A tensor of a checkpoint: its name and shape, read by rows. A tensor of more than two dimensions folds all but the last into rows; a vector is one row.</summary>
public interface ICheckpointTensor : IRowSource
{
    /// <summary>The file the tensor lies in, for messages.</summary>
    string File { get; }

    /// <summary>Shape as stored.</summary>
    IReadOnlyList<long> Shape { get; }

    /// <summary>
    /// The file's own name of the element type. Reading <see cref="IRowSource.DType"/> of a type that has no <see cref="Farm.Core.DType"/>
    /// for weights, e.g. I64, throws <see cref="BadInputException"/>; this does not.
    /// </summary>
    string StoredType => DType.Name();
}

/// <summary>The named tensors of a model folder, whichever files hold them.</summary>
public interface ICheckpoint : IDisposable
{
    /// <summary>The folder, for messages.</summary>
    string Folder { get; }

    /// <summary>Every tensor by name.</summary>
    IReadOnlyDictionary<string, ICheckpointTensor> Tensors { get; }
}
