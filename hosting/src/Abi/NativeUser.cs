using System;

namespace Ancm.Hosting.Abi
{
    /// <summary>Whom the front authenticated.</summary>
    internal readonly unsafe struct NativeUser
    {
        /// <summary><c>alice@REALM</c>, or <c>alice</c> where there is no realm.</summary>
        public readonly Slice Name;
        /// <summary>How it was proved: <c>Negotiate</c>, <c>Basic</c>.</summary>
        public readonly Slice AuthenticationType;
        private readonly Slice* _groups;
        private readonly uint _groupCount;

        public ReadOnlySpan<Slice> Groups => new ReadOnlySpan<Slice>(_groups, checked((int)_groupCount));
    }
}
