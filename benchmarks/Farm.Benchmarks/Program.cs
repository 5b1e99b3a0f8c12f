using BenchmarkDotNet.Running;

BenchmarkSwitcher.FromAssembly(typeof(Farm.Benchmarks.LinearBenchmark).Assembly).Run(args);
