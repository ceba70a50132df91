using System;

namespace Ancm.Hosting.Abi
{
    /// <summary>Bytes that somebody else owns.</summary>
    internal readonly unsafe struct Slice
    {
        private readonly byte* _data;
        private readonly UIntPtr _length;

        public Slice(byte* data, int length)
        {
            _data = data;
            _length = (UIntPtr)(uint)length;
        }

        public int Length => checked((int)_length);

        public bool IsEmpty => _length == UIntPtr.Zero;

        /// <summary>Valid as long as the owner says.</summary>
        public ReadOnlySpan<byte> Span => new ReadOnlySpan<byte>(_data, Length);
    }
}
