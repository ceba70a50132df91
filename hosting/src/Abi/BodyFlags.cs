using System;

namespace Ancm.Hosting.Abi
{
    /// <summary>What is said about a piece of a response's body.</summary>
    [Flags]
    internal enum BodyFlags : uint
    {
        None = 0,
        /// <summary>It is the last.</summary>
        End = 1,
    }
}
