using Farm.Core;

namespace Farm.Models.Checkpoints;

/// <summary>Opens the weights of a model folder, whatever their format.</summary>
public static class Checkpoint
{
    private const string Safetensors = "model.safetensors", Torch = "pytorch_model.bin";

    /// <summary>
    /// Opens the first of model.safetensors.index.json, model.safetensors, pytorch_model.bin.index.json and pytorch_model.bin that the folder
    /// has, else its only *.safetensors file. All headers are read and checked; no weight is. Tensors may be read from several threads.
    /// </summary>
    /// <exception cref="BadInputException">
    /// The folder holds no weights, a shard is missing, or a file is truncated, damaged or hostile; the message names file and tensor.
    /// </exception>
    public static ICheckpoint Open(string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        if (!Directory.Exists(folder))
        {
            throw new BadInputException($"{folder}: there is no such folder.");
        }

        foreach (string name in (ReadOnlySpan<string>)[Safetensors, Torch])
        {
            string index = Path.Combine(folder, name + ".index.json"), single = Path.Combine(folder, name);
            if (File.Exists(index))
            {
                return OpenSharded(folder, ShardIndex.Read(index, folder));
            }

            if (File.Exists(single))
            {
                return OpenSingle(folder, single);
            }
        }

        return OpenSingle(folder, OnlySafetensors(folder));
    }

    private static string OnlySafetensors(string folder)
    {
        string[] files;
        try
        {
            files = Directory.GetFiles(folder, "*.safetensors");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BadInputException($"{folder}: the folder cannot be read: {e.Message}", e);
        }

        return files.Length switch
        {
            1 => files[0],
            0 => throw new BadInputException($"{folder}: the folder holds neither {Safetensors} nor {Torch}, nor an index of shards of either."),
            _ => throw new BadInputException($"{folder}: the folder holds {files.Length} safetensors files and no {Safetensors}.index.json that says which to read."),
        };
    }

    private static CheckpointFolder OpenSingle(string folder, string path) => Build(folder, result =>
    {
        foreach (var tensor in result.Open(path))
        {
            result.Add(tensor);
        }
    });

    private static CheckpointFolder OpenSharded(string folder, ShardIndex index) => Build(folder, result =>
    {
        foreach (var shard in index.Shards)
        {
            string path = Path.Combine(folder, shard.Key);
            if (!File.Exists(path))
            {
                throw new BadInputException($"{index.Path}: the shard {shard.Key} is missing; tensor '{shard.Value[0]}' lies there.");
            }

            var found = result.Open(path).ToDictionary(t => t.Name);
            foreach (string name in shard.Value)
            {
                result.Add(found.GetValueOrDefault(name)
                    ?? throw new BadInputException($"{path}: the shard lacks tensor '{name}', which {index.Path} places there."));
            }
        }
    });

    private static CheckpointFolder Build(string folder, Action<CheckpointFolder> fill)
    {
        var result = new CheckpointFolder(folder);
        try
        {
            fill(result);
            return result;
        }
        catch
        {
            result.Dispose();
            throw;
        }
    }

    private sealed class CheckpointFolder(string folder) : ICheckpoint
    {
        private readonly Dictionary<string, ICheckpointTensor> _tensors = [];
        private readonly List<CheckpointFile> _files = [];

        public string Folder => folder;

        public IReadOnlyDictionary<string, ICheckpointTensor> Tensors => _tensors;

        public IReadOnlyList<ICheckpointTensor> Open(string path)
        {
            var file = CheckpointFile.Open(path);
            _files.Add(file);
            return path.EndsWith(".safetensors", StringComparison.OrdinalIgnoreCase) ? SafetensorsFile.Read(file) : TorchFile.Read(file);
        }

        public void Add(ICheckpointTensor tensor) => _tensors.Add(tensor.Name, tensor);

        public void Dispose() => _files.ForEach(f => f.Dispose());
    }
}
