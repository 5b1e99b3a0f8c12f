namespace Farm.Cli;

/// <summary>The user stopped a run; the message says what is kept and how to go on.</summary>
internal sealed class InterruptedRunException(string message) : OperationCanceledException(message);
