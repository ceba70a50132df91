using System;

namespace Ancm.Hosting.Abi
{
    /// <summary>A field: name and value, as on the wire.</summary>
    internal unsafe struct Field
    {
        public byte* NameData;
        public byte* ValueData;
        public uint NameLength;
        public uint ValueLength;

        public readonly ReadOnlySpan<byte> Name => new ReadOnlySpan<byte>(NameData, checked((int)NameLength));

        public readonly ReadOnlySpan<byte> Value => new ReadOnlySpan<byte>(ValueData, checked((int)ValueLength));
    }
}
