namespace Ancm.Hosting.Abi
{
    /// <summary>What a native call answers.</summary>
    internal enum Status
    {
        Ok = 0,
        /// <summary>Not now, or no more now: the callback that belongs to the call will come, once.</summary>
        Pending = 1,
        /// <summary>The request is over.</summary>
        Gone = -1,
        /// <summary>The body is larger than allowed: 413.</summary>
        TooLarge = -2,
        /// <summary>Not at this point: nothing was done.</summary>
        Invalid = -3,
        /// <summary>The body is broken: 400.</summary>
        BadRequest = -4,
    }
}
