using Farm.Core;

namespace Farm.Cuda.Driver;

/// <summary>
/// NVIDIA's cuBLASLt, for large products where it is asked for. Its matrices lie by columns, so a product by rows is given to it turned: c' = op(b)' op(a)'.
/// Sums are float32 (CUBLAS_COMPUTE_32F, which takes float32 operands as they are and not as TF32). Its algorithm is the library's own choice for
/// a shape, strides and alignments: results are the same in every run with one version on one kind of GPU, and may differ in their last bits between versions, GPUs and numbers of rows.
/// </summary>
internal sealed unsafe class CublasLt : IDisposable
{
    // cudaDataType, cublasComputeType_t.
    private const int Real32 = 0, RealBf16 = 14, Compute32 = 68;

    // cublasLtMatmulDescAttributes_t.
    private const int OperationA = 3, OperationB = 4;

    // cublasLtMatmulPreferenceAttributes_t; the alignments of A, B, C and D follow each other.
    private const int WorkspaceBytes = 1, ReductionSchemes = 3, FirstAlignment = 5;

    // CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE: parts of a split inner dimension are summed in float32 in the workspace, never in place in c.
    private const uint ReduceInWorkspace = 2;

    /// <summary>Most bytes of workspace that an algorithm may take: what NVIDIA suggests for its largest GPUs.</summary>
    internal const ulong MostWorkspace = 32 << 20;

    /// <summary>Shapes whose algorithms are kept; batches of ever new lengths must not fill the memory.</summary>
    private const int MostShapes = 4096;

    private readonly CublasLtApi _api;
    private readonly Dictionary<CublasProduct, CublasAlgorithm?> _algorithms = [];
    private nint _handle;

    private CublasLt(CublasLtApi api, nint handle)
    {
        _api = api;
        _handle = handle;
        Interlocked.Increment(ref Ledger.Libraries);
    }

    /// <summary>What the library was loaded as.</summary>
    internal string LibraryName => _api.Name;

    /// <summary>Products done since construction.</summary>
    internal long Products { get; private set; }

    /// <summary>Loads the library that FARM_CUBLASLT names, or the system's, and makes a handle in the context of this thread.</summary>
    /// <exception cref="BadInputException">There is none, or it does not start; the message says what was looked for.</exception>
    internal static CublasLt Open()
    {
        string? named = Environment.GetEnvironmentVariable(CublasLtApi.Variable) is { Length: > 0 } name ? name : null;
        var api = CublasLtApi.Load(named, CudaDriver.IsSimulator, CublasLtApi.SystemNames);
        nint handle;
        var status = api.Create(&handle);
        return status == CublasStatus.Success
            ? new CublasLt(api, handle)
            : throw new BadInputException($"cuBLASLt {api.Name} does not start: {CublasErrors.Describe(status)}.");
    }

    /// <summary>The algorithm for a product, asked for once; null where the library has none.</summary>
    internal CublasAlgorithm? Choose(in CublasProduct product)
    {
        if (!_algorithms.TryGetValue(product, out var algorithm))
        {
            if (_algorithms.Count >= MostShapes)
            {
                _algorithms.Clear();
            }

            _algorithms.Add(product, algorithm = Ask(product));
        }

        return algorithm;
    }

    /// <summary>Queues a product on a stream; the context is this thread's.</summary>
    /// <param name="product">Its shape; the addresses are aligned as it says.</param>
    /// <param name="algorithm">What <see cref="Choose"/> gave for it.</param>
    /// <param name="a">Device address of a.</param>
    /// <param name="b">Device address of b.</param>
    /// <param name="c">Device address of c.</param>
    /// <param name="accumulate">Adds to c; otherwise c is not read.</param>
    /// <param name="workspace">Device memory of as many bytes as the algorithm takes, aligned to 256.</param>
    /// <param name="stream">The stream.</param>
    internal void Multiply(in CublasProduct product, CublasAlgorithm algorithm, nint a, nint b, nint c, bool accumulate, nint workspace, nint stream)
    {
        float alpha = 1, beta = accumulate ? 1 : 0;
        var parts = new Descriptors(_api, product);
        try
        {
            CublasErrors.Check(
                _api.Multiply(_handle, parts.Product, &alpha, b, parts.B, a, parts.A, &beta, c, parts.C, c, parts.C, &algorithm, workspace, algorithm.Workspace, stream),
                $"multiplying [{product.M}, {product.K}] by [{product.K}, {product.N}]");
        }
        finally
        {
            parts.Dispose();
        }

        Products++;
    }

    public void Dispose()
    {
        if (_handle != 0)
        {
            _ = _api.Destroy(_handle);
            _handle = 0;
            Interlocked.Decrement(ref Ledger.Libraries);
        }
    }

    private CublasAlgorithm? Ask(in CublasProduct product)
    {
        const string Doing = "choosing an algorithm";
        var parts = new Descriptors(_api, product);
        nint preference = 0;
        try
        {
            CublasErrors.Check(_api.PreferenceCreate(&preference), Doing);
            ulong most = MostWorkspace;
            CublasErrors.Check(_api.PreferenceSet(preference, WorkspaceBytes, &most, sizeof(ulong)), Doing);
            uint schemes = ReduceInWorkspace;
            CublasErrors.Check(_api.PreferenceSet(preference, ReductionSchemes, &schemes, sizeof(uint)), Doing);
            // The library's A is b and its B is a. It takes 256 bytes for granted unless told otherwise.
            uint* alignments = stackalloc uint[] { (uint)product.AlignmentB, (uint)product.AlignmentA, (uint)product.AlignmentC, (uint)product.AlignmentC };
            for (int i = 0; i < 4; i++)
            {
                CublasErrors.Check(_api.PreferenceSet(preference, FirstAlignment + i, alignments + i, sizeof(uint)), Doing);
            }

            CublasAlgorithm found;
            int count = 0;
            var status = _api.Choose(_handle, parts.Product, parts.B, parts.A, parts.C, parts.C, preference, 1, &found, &count);
            if (status != CublasStatus.NotSupported)
            {
                CublasErrors.Check(status, Doing);
            }

            return status == CublasStatus.Success && count > 0 && found.State == CublasStatus.Success ? found : null;
        }
        finally
        {
            if (preference != 0)
            {
                _ = _api.PreferenceDestroy(preference);
            }

            parts.Dispose();
        }
    }

    /// <summary>The library's descriptions of a product and its matrices: small host objects, made for each call.</summary>
    private struct Descriptors : IDisposable
    {
        internal nint Product, A, B, C;
        private readonly CublasLtApi _api;

        internal Descriptors(CublasLtApi api, in CublasProduct p)
        {
            const string Doing = "describing a product";
            _api = api;
            try
            {
                nint product, a, b, c;
                CublasErrors.Check(api.ProductCreate(&product, Compute32, Real32), Doing);
                Product = product;
                // Read by columns, a matrix by rows is turned already.
                int first = p.TransposeB ? 1 : 0, second = p.TransposeA ? 1 : 0, type = p.Bf16 ? RealBf16 : Real32;
                CublasErrors.Check(api.ProductSet(product, OperationA, &first, sizeof(int)), Doing);
                CublasErrors.Check(api.ProductSet(product, OperationB, &second, sizeof(int)), Doing);
                CublasErrors.Check(api.LayoutCreate(&a, type, (ulong)(p.TransposeA ? p.M : p.K), (ulong)(p.TransposeA ? p.K : p.M), p.StrideA), Doing);
                A = a;
                CublasErrors.Check(api.LayoutCreate(&b, type, (ulong)(p.TransposeB ? p.K : p.N), (ulong)(p.TransposeB ? p.N : p.K), p.StrideB), Doing);
                B = b;
                CublasErrors.Check(api.LayoutCreate(&c, Real32, (ulong)p.N, (ulong)p.M, p.StrideC), Doing);
                C = c;
            }
            catch
            {
                Dispose();
                throw;
            }
        }

        public readonly void Dispose()
        {
            foreach (nint layout in (ReadOnlySpan<nint>)[A, B, C])
            {
                if (layout != 0)
                {
                    _ = _api.LayoutDestroy(layout);
                }
            }

            if (Product != 0)
            {
                _ = _api.ProductDestroy(Product);
            }
        }
    }
}
